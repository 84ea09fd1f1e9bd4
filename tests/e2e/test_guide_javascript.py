"""The guide with today's JavaScript SDK (`npm i seam`), unchanged but for its endpoint."""

from doorward.demo import Server

from .guide import NPM, Trace, check, follow


def test_the_guide_and_beyond(node: str, server: Server, key: str) -> None:
    trace: Trace = follow([node, str(NPM / "guide.mjs")], {"SEAM_API_KEY": key, "SEAM_ENDPOINT": server.url})
    check(trace)

    assert trace["pages"] == {"first": 2, "more": True, "all": [lock["device_id"] for lock in trace["locks"]]}

    unauthorized = trace["errors"]["unauthorized"]
    assert unauthorized["unauthorized"]
    assert unauthorized["request"].startswith("request")
    invalid = trace["errors"]["invalid"]
    assert invalid["invalid"]
    assert invalid["status"] == 400
    assert invalid["messages"]
    missing = trace["errors"]["missing"]
    assert missing["api"]
    assert (missing["code"], missing["status"]) == ("device_not_found", 404)
    assert missing["request"].startswith("request")
