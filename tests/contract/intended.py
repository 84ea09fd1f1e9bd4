"""Where we differ from the published schema on purpose, and why.

This list may only shrink: a line that no longer describes a difference fails the tests.
"""

from dataclasses import dataclass

OLD = "Clients and guides of 2022 to 2024 read it."
NO_SUCH_DEVICE = "Devices that have it are not driven yet."
NO_SUCH_TROUBLE = "This kind of trouble cannot happen here yet."
OTHER_BUSINESS = "It belongs to parts of the API that are not served yet."

DEVICES = ("device", "unmanaged_device")


@dataclass(frozen=True)
class Intended:
    """Differences that have one reason."""

    where: tuple[str, ...]
    """Routes, resources, event types or attempts in a state; one that ends in a dot stands for all that begin so."""
    why: str
    lines: tuple[str, ...]


NO_SUCH_KEYS = "There are no cards, no keys on phones and no access control systems here."
NEWER = "Documented by Seam after the package's version."

INTENDED = (
    Intended(
        (
            *DEVICES,
            "access_code",
            "access_grant",
            "access_method",
            "connected_account",
            "unmanaged_access_code",
            "user_identity",
        ),
        "What is wrong may be something that only this server can say: a code of its own, beside Seam's.",
        ("errors[].error_code: may be any text", "warnings[].warning_code: may be any text"),
    ),
    Intended(DEVICES, "A brand may drive what Seam does not know.", ("device_type: may be any text",)),
    Intended(
        ("device_provider",),
        "A brand may be one that Seam does not know.",
        ("device_provider_name: may be any text", "provider_categories[]: may be any text"),
    ),
    Intended(
        tuple(f"{kind}_CREDENTIAL error" for kind in ("ASSIGN", "ENCODE", "SCAN", "SCAN_TO_ASSIGN")),
        NO_SUCH_KEYS,
        ("error.type: may be any text",),
    ),
    Intended(
        ("access_grant",),
        NO_SUCH_KEYS,
        (
            "client_session_token: is never answered",
            "customization_profile_id: is never answered",
            "errors[].missing_device_ids: is never answered",
            "instant_key_url: is never answered",
            "requested_access_methods[].instant_key_max_use_count: is never answered",
            "warnings[].reason: is never answered",
        ),
    ),
    Intended(
        ("access_grant",),
        "Its pending mutation says it; and no door keeps more than it should without saying so itself.",
        ("warnings[].access_method_ids: is never answered", "warnings[].failed_devices: is never answered"),
    ),
    Intended(
        ("access_method",),
        NO_SUCH_KEYS,
        (
            "client_session_token: is never answered",
            "customization_profile_id: is never answered",
            "instant_key_url: is never answered",
            "is_assignment_required: is never answered",
            "is_encoding_required: is never answered",
            "is_ready_for_assignment: is never answered",
            "is_ready_for_encoding: is never answered",
            "warnings[].original_access_method_id: is never answered",
        ),
    ),
    Intended(("access_grant", "access_method"), NEWER, ("display_status: is not published",)),
    Intended(
        ("user_identity",),
        NO_SUCH_KEYS,
        (
            "errors[].acs_system_id: is never answered, though required",
            "errors[].acs_user_id: is never answered, though required",
        ),
    ),
    Intended(
        ("user_identity",),
        NEWER,
        ("merged_user_identity_ids: is not published", "merged_user_identity_keys: is not published"),
    ),
    Intended(
        ("/access_grants/create",),
        "The schema has a shape for each of the two; we take either in one.",
        ("user_identity: is not published", "user_identity_id: is not published"),
    ),
    Intended(
        ("/access_methods/list",),
        NEWER,
        ("limit: is not published", "page_cursor: is not published", "pagination: is not published"),
    ),
    Intended(
        ("/acs/credentials/list",),
        "The schema has a shape for each of them; we take any in one.",
        (
            "acs_system_id: is not published",
            "acs_user_id: is not published",
            "user_identity_id: is not published",
        ),
    ),
    Intended(
        ("/acs/encoders/list",),
        "The schema has a shape for each of them; we take any in one.",
        (
            "acs_encoder_ids: is not published",
            "acs_system_id: is not published",
            "acs_system_ids: is not published",
        ),
    ),
    Intended(("/access_grants/list",), NEWER, ("search: is not published",)),
    Intended(("/acs/entrances/list",), NEWER, ("access_method_id: is not published",)),
    Intended(
        ("/phones/simulate/create_sandbox_phone",),
        "No phone is made, with no defaults.",
        ("assa_abloy_metadata: has the default {}", "phone_metadata: has the default {}"),
    ),
    Intended(
        ("/access_codes/generate_code",),
        "Seam's server answers a PIN and its device, not the whole access code that the schema promises.",
        ("generated_code: is a access_code",),
    ),
    Intended(
        ("/devices/update",),
        "An extension: which of a 2N intercom's switches stands for its door.",
        ("properties.two_n_metadata: is not published",),
    ),
    Intended(
        ("/locks/list",),
        "There may be more locks than fit in one answer; whoever asks for no page is told that there are more.",
        ("limit: has the default 500", "pagination: is not published"),
    ),
    Intended(("access_code",), OLD, ("appearance: is not published",)),
    Intended(
        ("connected_account",),
        "Every resource says whose it is; the Python client of 2023 insists on it.",
        ("workspace_id: is not published",),
    ),
    Intended(
        ("unmanaged_device",),
        "Whoever chooses among unmanaged devices needs a name to show.",
        ("display_name: is not published",),
    ),
    Intended(DEVICES, "The 2N guide prints it so.", ("location: may be null",)),
    Intended(DEVICES, "No device tells it.", ("location.location_name: is never answered",)),
    Intended(
        (*DEVICES, "device_provider"),
        NO_SUCH_DEVICE,
        tuple(
            f"{flag}: is never answered"
            for flag in (
                "can_configure_auto_lock",
                "can_hvac_cool",
                "can_hvac_heat",
                "can_hvac_heat_cool",
                "can_program_offline_access_codes",
                "can_program_thermostat_programs_as_different_each_day",
                "can_program_thermostat_programs_as_same_each_day",
                "can_program_thermostat_programs_as_weekday_weekend",
                "can_run_thermostat_programs",
                "can_turn_off_hvac",
            )
        ),
    ),
    Intended(
        (*DEVICES, "device_provider"),
        NO_SUCH_DEVICE,
        tuple(
            f"can_simulate_{what}: is never answered"
            for what in ("hub_connection", "hub_disconnection", "paid_subscription")
        ),
    ),
    Intended(
        ("device_provider",),
        "It depends on the workspace; each device says it.",
        tuple(f"can_simulate_{what}: is never answered" for what in ("connection", "disconnection", "removal")),
    ),
    Intended(
        DEVICES,
        NO_SUCH_TROUBLE,
        (
            "errors[].is_bridge_error: is never answered",
            "warnings[].active_access_code_count: is never answered",
            "warnings[].max_active_access_code_count: is never answered",
        ),
    ),
    Intended(
        ("access_code",),
        NO_SUCH_DEVICE,
        (
            "dormakaba_oracode_metadata: is never answered",
            "is_waiting_for_code_assignment: is never answered",
        ),
    ),
    Intended(("access_code",), NO_SUCH_TROUBLE, ("errors[].is_bridge_error: is never answered",)),
    Intended(
        ("unmanaged_access_code",),
        NO_SUCH_DEVICE,
        ("dormakaba_oracode_metadata: is never answered",),
    ),
    Intended(
        ("unmanaged_access_code",),
        "Nothing is ever set there by this server, so nothing of that kind can go wrong.",
        (
            "errors[].change_type: is never answered",
            "errors[].is_access_code_error: is never answered",
            "errors[].is_bridge_error: is never answered",
            "errors[].managed_access_code_id: is never answered",
            "errors[].modified_fields: is never answered",
            "errors[].unmanaged_access_code_id: is never answered",
            "warnings[].change_type: is never answered",
            "warnings[].modified_fields: is never answered",
        ),
    ),
    Intended(
        ("connected_account",),
        OTHER_BUSINESS,
        (
            "default_checkin_time: is never answered",
            "default_checkout_time: is never answered",
            "ical_feed_origin: is never answered",
            "ical_url: is never answered",
            "image_url: is never answered",
            "time_zone: is never answered",
        ),
    ),
    Intended(
        ("connected_account",),
        NO_SUCH_TROUBLE,
        (
            "errors[].is_bridge_error: is never answered",
            "errors[].salto_ks_metadata: is never answered",
            "warnings[].salto_ks_metadata: is never answered",
        ),
    ),
    Intended(
        (
            "access_code.",
            "action_attempt.",
            "connected_account.completed_first_sync",
            "connected_account.completed_first_sync_after_reconnection",
            "connected_account.created",
            "connected_account.disconnected",
            "connected_account.successful_login",
        ),
        "Every event of a customer's thing says whose it is; the schema names it on some types only.",
        ("customer_key: is not published",),
    ),
    Intended(
        ("action_attempt.",),
        "Every event of a device has the metadata of device and account, as the docs say.",
        ("connected_account_custom_metadata: is not published", "device_custom_metadata: is not published"),
    ),
    Intended(
        ("lock.",),
        OTHER_BUSINESS,
        (
            "acs_entrance_id: is never answered",
            "acs_system_id: is never answered",
            "acs_user_id: is never answered",
        ),
    ),
    Intended(
        ("lock.locked", "lock.unlocked"),
        NO_SUCH_DEVICE,
        ("is_via_bluetooth: is never answered", "is_via_nfc: is never answered"),
    ),
    Intended(
        ("lock.locked", "lock.unlocked"),
        "A PIN is looked up by `access_code_id`, by those who may; an event is sent to more places.",
        ("code: is never answered",),
    ),
    Intended(
        ("/customers/create_portal",),
        "The same defaults, written out.",
        tuple(
            f"{name}: has the default {{}}"
            for name in (
                "features",
                *(f"features.{one}" for one in ("configure", "connect", "manage", "manage_devices", "organize")),
            )
        ),
    ),
    Intended(
        ("/customers/delete_data",), "Sites are told of, so they are forgotten.", ("site_keys: is not published",)
    ),
    Intended(("/customers/create_portal",), "For Seam's own staff.", ("_dev: is not taken",)),
    Intended(
        ("device.doorbell_rang",),
        "Pictures of visitors are not fetched.",
        ("image_url: is never answered", "video_url: is never answered"),
    ),
)


def lines_for(where: str) -> set[str]:
    """The differences that are intended there."""
    return {
        line
        for one in INTENDED
        for line in one.lines
        if where in one.where or any(place.endswith(".") and where.startswith(place) for place in one.where)
    }
