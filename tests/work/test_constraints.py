"""What callers report of a device's PINs."""

from pathlib import Path

from tests.support.server import serving

REPORT = "/access_codes/report_device_constraints"


async def test_reported_lengths_narrow_what_is_taken_and_chosen(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        about = {"device_id": world.devices[0]}
        assert await world.call(REPORT, min_code_length=6, max_code_length=7, **about) == {"ok": True}
        assert (await world.device())["properties"]["supported_code_lengths"] == [6, 7]
        error = await world.fail("/access_codes/create", 400, "invalid_input", code="4837", **about)
        assert "6, 7" in str(error)
        assert len((await world.call("/access_codes/generate_code", **about))["generated_code"]["code"]) == 6
        chosen = (await world.call("/access_codes/create", preferred_code_length=7, **about))["access_code"]["code"]
        assert len(chosen) == 7
        # A later report stands for itself.
        await world.call(REPORT, supported_code_lengths=[5, 8, 12], **about)
        assert (await world.device())["properties"]["supported_code_lengths"] == [5, 8]
        await world.call(REPORT, min_code_length=4, **about)
        assert (await world.device())["properties"]["supported_code_lengths"] == [4, 5, 6, 7, 8]


async def test_a_report_that_leaves_no_length_is_refused(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        about = {"device_id": world.devices[0]}
        await world.fail(REPORT, 400, "invalid_input", **about)
        await world.fail(REPORT, 400, "invalid_input", supported_code_lengths=[9, 10], **about)
        await world.fail(REPORT, 400, "invalid_input", min_code_length=7, max_code_length=5, **about)
        await world.fail(REPORT, 400, "invalid_input", min_code_length=3, **about)
        await world.fail(REPORT, 404, "device_not_found", device_id="nope", min_code_length=5)
        assert (await world.device())["properties"]["supported_code_lengths"] == [4, 5, 6, 7, 8]
