"""Programs of other makers against First Light itself: node, PyPI's OSCQuery, mDNS browsers.

The page in a browser is in test_page.py.
"""

import contextlib
import shutil
import subprocess
import sys

import pytest
from fakes.programs import Instrument, Node, needs, until
from pythonoscquery.osc_query_client import OSCQueryClient
from zeroconf import ServiceInfo

pytestmark = [pytest.mark.clients, *needs("node")]


@pytest.fixture(scope="module")
def instrument():
    with contextlib.closing(Instrument()) as instrument:
        yield instrument


@pytest.fixture(scope="module")
def node():
    with contextlib.closing(Node()) as node:
        yield node


# node: osc over UDP


@pytest.fixture
def osc(instrument, node):
    """node's `osc` with a UDP port of its own, which keeps what it hears."""
    port = node(
        """
        const {UDPPort} = require("osc");
        kept.heard = {};
        kept.udp = new UDPPort({localAddress: "127.0.0.1", localPort: 0,
          remoteAddress: "127.0.0.1", remotePort: given.osc});
        kept.udp.on("message", ({address, args}) => kept.heard[address] = args[0]);
        await new Promise(done => { kept.udp.on("ready", done); kept.udp.open(); });
        return kept.udp.socket.address().port;
        """,
        osc=instrument.osc,
    )
    yield port
    node("kept.udp.close()")


@pytest.mark.usefixtures("osc")
def test_a_bundle_dated_in_an_hour_is_played_at_once(instrument, node):
    node(
        """
        const when = require("osc").timeTag(3600);
        kept.udp.send({timeTag: when, packets: [{address: "/learn/steps", args: [given.steps]}]});
        """,
        steps=7,
    )
    assert until(lambda: instrument.value("/learn/steps") == 7)


def test_nodes_osc_hears_what_it_subscribed_to(instrument, node, osc):
    node(
        """
        kept.udp.send({address: "/system/sync", args: [given.port, "plain", "norm", "text"]});
        await until(() => kept.heard["/text/learn/trust"] !== undefined);
        """,
        port=osc,
    )
    sender = "require('osc')"
    node(
        f"""
        const other = new ({sender}.UDPPort)({{localAddress: "127.0.0.1", localPort: 0}});
        await new Promise(done => {{ other.on("ready", done); other.open(); }});
        other.send({{address: "/norm/learn/trust", args: [1]}}, "127.0.0.1", given.osc);
        await until(() => kept.heard["/norm/learn/trust"] === 1);
        other.close();
        """,
        osc=instrument.osc,
    )
    heard = node("return kept.heard")
    assert heard["/learn/trust"] == pytest.approx(instrument.value("/learn/trust"))
    assert heard["/text/learn/trust"] == instrument.value("/text/learn/trust")


# node: osc over a WebSocket


def test_a_websocket_is_told_in_osc_and_plays_in_osc(instrument, node):
    value = node(
        """
        const WebSocket = require("ws"), {readPacket, writePacket} = require("osc");
        const line = new WebSocket(`ws://127.0.0.1:${given.page}/`);
        const heard = [];
        line.on("message", (data, binary) => binary && heard.push(readPacket(data, {})));
        await new Promise(done => line.on("open", done));
        line.send(JSON.stringify({COMMAND: "LISTEN", DATA: "/learn/momentum"}));
        await until(() => heard.some(({address}) => address === "/learn/momentum"));
        line.send(writePacket({address: "/learn/momentum", args: [0.25]}));
        kept.line = line;
        return heard[0].args[0];
        """,
        page=instrument.page,
    )
    assert value == pytest.approx(0.9)
    assert until(lambda: instrument.value("/learn/momentum") == 0.25)
    node("kept.line.close()")


# OSCQuery clients


def test_npms_oscquery_reads_the_host_and_every_knob_with_its_range(instrument, node):
    found = node(
        """
        const {OSCQueryDiscovery} = require("oscquery");
        const service = await new OSCQueryDiscovery().queryNewService("127.0.0.1", given.page);
        return {info: service.hostInfo, knobs: service.flat()};
        """,
        page=instrument.page,
    )
    info, knobs = found["info"], {knob["full_path"]: knob for knob in found["knobs"]}
    assert (info["name"], info["oscPort"], info["wsPort"]) == (
        "First Light",
        instrument.osc,
        instrument.page,
    )
    leaves = {leaf["FULL_PATH"]: leaf for leaf in _leaves(instrument.get("/"))}
    assert knobs.keys() == leaves.keys()
    for address, leaf in leaves.items():
        found = knobs[address]["arguments"][0].get("range", {})
        assert found == {name.lower(): end for name, end in leaf.get("RANGE", [{}])[0].items()}
        assert found or leaf["ACCESS"] != 3 or leaf["TYPE"] in "sTF"


def _leaves(node):
    if "CONTENTS" not in node:
        return [node]
    return [leaf for one in node["CONTENTS"].values() for leaf in _leaves(one)]


def test_pypis_oscquery_finds_every_knob_and_trigger_with_its_value(instrument):
    kind = "_oscjson._tcp.local."
    place = ServiceInfo(kind, f"it.{kind}", port=instrument.page, parsed_addresses=["127.0.0.1"])
    client = OSCQueryClient(place)
    info = client.get_host_info()
    assert (info.name, info.osc_port) == ("First Light", instrument.osc)
    root = client.query_node()
    leaves = {leaf["FULL_PATH"]: leaf["VALUE"] for leaf in _leaves(instrument.get("/"))}
    assert {one.full_path for one in root if not one.contents} == leaves.keys()
    assert root.find_subnode("/learn/rule").value == leaves["/learn/rule"]
    assert root.find_subnode("/learn/blank").value == [None]


# mDNS, in a network of its own


ALONE = "ip link set lo up; ip address add 10.9.9.9/32 dev lo; ip link set lo multicast on;" \
    " ip route add 224.0.0.0/4 dev lo; exec \"$@\""  # fmt: skip


@pytest.fixture(scope="module")
def announced():
    """First Light where only 10.9.9.9 is, and the words that start a program there."""
    own = ["unshare", "--map-root-user", "--net"]
    if not shutil.which("unshare") or subprocess.run([*own, "true"], check=False).returncode:
        pytest.skip("this system gives nobody a network of its own")
    start = [*own, "sh", "-c", ALONE, "alone"]
    with contextlib.closing(Instrument("--listen", "10.9.9.9", before=start)) as instrument:
        here = str(instrument.process.pid)
        yield instrument, ["nsenter", "--preserve-credentials", "-U", "-n", "-t", here]


def test_zeroconf_finds_osc_and_the_page_on_the_network(announced):
    instrument, there = announced
    code = """if True:
        from zeroconf import Zeroconf
        with Zeroconf(interfaces=["10.9.9.9"]) as network:
            for kind in ("_osc._udp.local.", "_oscjson._tcp.local."):
                found = network.get_service_info(kind, f"First Light.{kind}", timeout=10_000)
                print(*found.parsed_addresses(), found.port)
    """
    done = subprocess.run(
        [*there, sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == [f"10.9.9.9 {instrument.osc}", f"10.9.9.9 {instrument.page}"]


def test_npms_oscquery_discovers_it_on_the_network(announced):
    instrument, there = announced
    with contextlib.closing(Node(there)) as node:
        found = node("""
            const {OSCQueryDiscovery} = require("oscquery");
            const network = new OSCQueryDiscovery();
            let up;
            network.on("up", service => up = service);
            network.start();
            await until(() => up);
            network.stop();
            return [up.address, up.port, up.hostInfo.name, up.hostInfo.oscPort];
        """)
    assert found == ["10.9.9.9", instrument.page, "First Light", instrument.osc]
