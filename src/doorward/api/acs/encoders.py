"""`/acs/encoders/*`."""

from typing import Annotated, Literal

from annotated_types import Gt

from doorward.api.absent import empty, no_such
from doorward.api.acs.shared import PAGE, OneEncoder, Person
from doorward.api.params import Cursor, Id, Params, Part
from doorward.wire.absent import AcsEncoder
from doorward.wire.action_attempt import ActionAttempt

ID = "acs_encoder_id"


class List(Params):
    """Parameters of list."""

    acs_encoder_ids: list[Id] | None = None
    """Only these."""
    acs_system_id: Id | None = None
    """Only those of this access control system."""
    acs_system_ids: list[Id] | None = None
    """Only those of these access control systems."""
    limit: Annotated[int, Gt(0)] = PAGE
    """Items in a page."""
    page_cursor: Cursor | None = None
    """Where the page before ended."""


class Encode(OneEncoder):
    """Parameters of encode_credential."""

    access_method_id: Id | None = None
    """The access method that a card is written for."""
    acs_credential_id: Id | None = None
    """The credential that is written to a card."""


class SaltoKs(Part):
    """What a Salto KS system asks for."""

    detect_new_tags: bool = False
    """Look for tags that it does not know, too."""


class Scan(OneEncoder):
    """Parameters of scan_credential."""

    salto_ks_metadata: SaltoKs | None = None
    """What a Salto KS system asks for."""


class ScanToAssign(Person, Scan):
    """Parameters of scan_to_assign_credential."""


class EncodeFails(OneEncoder):
    """Parameters of next_credential_encode_will_fail."""

    acs_credential_id: Id | None = None
    """The credential that is not written."""
    error_code: (
        Literal["no_credential_on_encoder", "encoding_interrupted", "uncategorized_error", "action_attempt_expired"]
        | None
    ) = None
    """How it fails."""


class EncodeSucceeds(OneEncoder):
    """Parameters of next_credential_encode_will_succeed."""

    scenario: Literal["credential_is_issued"] = "credential_is_issued"
    """How it succeeds."""


class ScanFails(OneEncoder):
    """Parameters of next_credential_scan_will_fail."""

    acs_credential_id_on_seam: str | None = None
    """The credential that is not read."""
    error_code: Literal["no_credential_on_encoder", "uncategorized_error", "action_attempt_expired"] | None = None
    """How it fails."""


class ScanSucceeds(OneEncoder):
    """Parameters of next_credential_scan_will_succeed."""

    acs_credential_id_on_seam: str | None = None
    """The credential that is read."""
    scenario: (
        Literal[
            "credential_exists_on_seam",
            "credential_on_encoder_needs_update",
            "credential_does_not_exist_on_seam",
            "credential_on_encoder_is_empty",
        ]
        | None
    ) = None
    """What is found on the card."""


empty(
    "/acs/encoders/list",
    "List encoders of cards",
    List,
    auth="AKR",
    pages=PAGE,
    acs_encoders=list[AcsEncoder],
)
no_such("/acs/encoders/get", "Get an encoder of cards", OneEncoder, ID, auth="A", acs_encoder=AcsEncoder)
no_such(
    "/acs/encoders/encode_credential",
    "Write a credential to a card",
    Encode,
    ID,
    auth="AK",
    action_type="ENCODE_CREDENTIAL",
    action_attempt=ActionAttempt,
)
no_such(
    "/acs/encoders/scan_credential",
    "Read the card on an encoder",
    Scan,
    ID,
    auth="A",
    action_type="SCAN_CREDENTIAL",
    action_attempt=ActionAttempt,
)
no_such(
    "/acs/encoders/scan_to_assign_credential",
    "Give the card on an encoder to a user",
    ScanToAssign,
    ID,
    auth="AK",
    action_type="SCAN_TO_ASSIGN_CREDENTIAL",
    action_attempt=ActionAttempt,
)
for _word, _about, _params, _auth in (
    ("encode_will_fail", "Have writing the next card fail", EncodeFails, "A"),
    ("encode_will_succeed", "Have writing the next card succeed", EncodeSucceeds, "AK"),
    ("scan_will_fail", "Have reading the next card fail", ScanFails, "A"),
    ("scan_will_succeed", "Have reading the next card succeed", ScanSucceeds, "A"),
):
    no_such(f"/acs/encoders/simulate/next_credential_{_word}", _about, _params, ID, auth=_auth)
