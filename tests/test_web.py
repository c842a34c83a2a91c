"""The web thread with real sockets: HTTP, the WebSocket both ways, pictures, who is kept out."""

import contextlib
import http.client
import json
import logging
import random
import socket
import threading

import av
import numpy as np
import pytest
from fakes.datagrams import mutated
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from bridge import Refusal
from bridge.control import limits, replies
from bridge.control import web as web_module
from bridge.control.guard import Guard
from bridge.control.limits import Budget
from bridge.control.osc import bundles, decode, encode
from bridge.control.web import WebServer
from bridge.params import Param, Reading, trigger
from bridge.pictures import Pictures
from bridge.space import AddressSpace

PATIENCE = 10  # seconds after which a test that waits has failed


class Learner:
    rate = Param(0.01, min=0.0, max=1.0, taper="log", floor=1e-4, doc="step")
    steps = Param(1, min=0, max=16, doc="steps a frame")
    on = Param(True, doc="learn at all")
    rule = Param("adam", choices=("sgd", "adam"), doc="update rule")
    name = Param("", suggests=lambda owner: owner.known, doc="a name")
    loss = Reading(0.25, doc="how far off")
    known = ("mine",)

    def __init__(self) -> None:
        self.blanks = 0

    @trigger("start afresh")
    def blank(self) -> None:
        self.blanks += 1


class Stage:
    """A web server over a small space, and clients of it."""

    def __init__(self, guard: Guard) -> None:
        self.learner, self.space, self.pictures = Learner(), AddressSpace(), Pictures()
        self.space.add("/learn", self.learner)
        self.space.add("/stats", self.space)
        self.web = WebServer(self.space, self.pictures, guard, port=0)
        self.space.add("/stats", self.web)
        self.closing = contextlib.ExitStack()

    def get(self, target: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        line = http.client.HTTPConnection("127.0.0.1", self.web.port, timeout=PATIENCE)
        with contextlib.closing(line):
            line.request(
                "GET", target, headers={n.replace("_", "-"): v for n, v in headers.items()}
            )
            answer = line.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())

    def client(self, path: str = "/", **options):
        address = f"ws://127.0.0.1:{self.web.port}{path}"
        one = connect(address, open_timeout=PATIENCE, **options)
        self.closing.enter_context(one)
        return one

    def close(self) -> None:
        self.closing.close()
        self.web.close()


@pytest.fixture
def guard() -> Guard:
    return Guard()


@pytest.fixture
def stage(guard):
    with contextlib.closing(Stage(guard)) as stage:
        yield stage


@pytest.fixture
def hand(stage):
    """A client that has been there for long enough to be a hand."""
    client = stage.client()
    listen(client, "/learn/steps")
    for one in stage.web._clients:
        one.came -= 60
    return client


def command(client, name: str, path: object) -> None:
    client.send(json.dumps({"COMMAND": name, "DATA": path}))


def told(client) -> tuple[str, object]:
    """The next thing that a client is told: a message of OSC, or a path that has changed."""
    packet = client.recv(timeout=PATIENCE)
    if isinstance(packet, str):
        said = json.loads(packet)
        return said["COMMAND"], said["DATA"]
    (message,) = decode(packet).messages
    return message.address, message.arguments[0]


def listen(client, path: str) -> object:
    """From now on `path` is told; answers its value."""
    command(client, "LISTEN", path)
    address, value = told(client)
    assert address == path
    return value


# HTTP


def test_the_tree_is_answered(stage):
    status, body, headers = stage.get("/learn/steps")
    assert (status, json.loads(body)["VALUE"]) == (200, [1])
    assert headers["Content-Type"] == "application/json"


def test_the_host_is_answered_with_its_own_port(stage):
    assert json.loads(stage.get("/?HOST_INFO")[1])["WS_PORT"] == stage.web.port


@pytest.mark.parametrize(
    ("target", "status"), [("/none", 404), ("/learn?NONE", 400), ("/learn/blank?VALUE", 204)]
)
def test_what_is_not_there_has_its_status(stage, target, status):
    assert stage.get(target)[:2] == (status, b"")


def test_a_browser_is_given_the_page_and_runs_nothing_else(stage):
    status, body, headers = stage.get("/", Accept="text/html,*/*")
    assert (status, body) == (200, replies.PAGE.read_bytes())
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "sha256-" in headers["Content-Security-Policy"]


def test_a_question_is_answered_whoever_accepts_what(stage):
    for target in ("/?HOST_INFO", "/?token=x&HOST_INFO"):
        assert b"WS_PORT" in stage.get(target, Accept="text/html, image/gif, */*")[1]


def test_the_page_has_the_same_hash_from_a_windows_checkout(tmp_path, monkeypatch):
    page = replies.page()
    copy = tmp_path / "page.html"
    copy.write_bytes(replies.PAGE.read_bytes().replace(b"\n", b"\r\n"))
    monkeypatch.setattr(replies, "PAGE", copy)
    assert replies.page() == page


def test_the_page_needs_nothing_from_outside():
    page = replies.PAGE.read_text(encoding="utf-8")
    for word in ("src=", "href=", "@import", "url(", "http:", "https:", "//cdn"):
        assert word not in page, word


def test_no_answer_may_be_read_by_a_foreign_page(stage):
    _, _, headers = stage.get("/learn/rate")
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}]
)
def test_foreign_names_and_pages_are_turned_away_and_counted(stage, guard, headers):
    assert stage.get("/", **headers)[0] == 403
    with pytest.raises(InvalidStatus, match="403"):
        stage.client(additional_headers=headers)
    assert guard.denied == 2


def test_the_token_is_asked_for(stage, guard):
    guard.token = "sesame"
    assert stage.get("/")[0] == 401
    assert stage.get("/?token=sesame")[0] == 200
    assert stage.web.address.endswith("/?token=sesame")
    with pytest.raises(InvalidStatus, match="401"):
        stage.client("/pictures")
    stage.client("/pictures?token=sesame")


def test_who_is_not_on_the_list_is_hung_up_on(stage, guard, monkeypatch):
    monkeypatch.setattr(guard, "lets", lambda _: False)
    with pytest.raises(OSError):  # noqa: PT011  # reset, or closed without a word
        stage.get("/learn/rate")
    assert guard.denied == 1


def test_no_more_than_so_many_stay(stage, monkeypatch):
    monkeypatch.setattr(web_module, "MOST_CLIENTS", 2)
    listen(stage.client(), "/learn/rate")
    listen(stage.client(), "/learn/rate")
    with pytest.raises(InvalidStatus, match="503"):
        stage.client()
    assert stage.get("/learn/rate")[0] == 200


def test_noise_on_the_port_is_survived(stage, capfd, caplog):
    for noise in (
        b"\0" * 4000,
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 500,
        b"POST / HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", stage.web.port), timeout=PATIENCE) as line:
            line.sendall(noise + b"\r\n\r\n")
            with contextlib.suppress(OSError):
                line.recv(1)
    assert stage.get("/learn/rate")[0] == 200
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


# Listening


def test_who_listens_is_told_where_it_stands_and_what_changes(stage):
    client = stage.client()
    assert listen(client, "/learn/rate") == pytest.approx(0.01)
    stage.learner.rate = 0.5
    assert told(client) == ("/learn/rate", 0.5)


def test_faders_and_words_are_listened_to_alike(stage):
    client = stage.client()
    listen(client, "/norm/learn/rate")
    listen(client, "/text/learn/loss")
    stage.learner.rate = 1.0
    assert told(client) == ("/norm/learn/rate", 1.0)
    stage.learner.loss = 0.5
    assert told(client) == ("/text/learn/loss", "0.5")


def test_who_ignores_is_told_no_more(stage):
    client = stage.client()
    listen(client, "/learn/rate")
    command(client, "IGNORE", "/learn/rate")
    listen(client, "/learn/loss")
    stage.learner.rate, stage.learner.loss = 0.5, 0.125
    assert told(client) == ("/learn/loss", 0.125)


def test_who_syncs_is_told_again_what_it_listens_to(stage):
    client = stage.client()
    listen(client, "/learn/loss")
    client.send(encode("/system/sync", True))
    assert told(client) == ("/learn/loss", 0.25)
    assert stage.space.unknown == 0


def test_what_is_not_listened_to_is_not_told(stage):
    client = stage.client()
    listen(client, "/learn/loss")
    stage.learner.steps, stage.learner.loss = 5, 0.5
    assert told(client) == ("/learn/loss", 0.5)


def test_a_page_that_says_so_gets_many_in_one_packet(stage):
    client = stage.client("/?bundles")
    command(client, "LISTEN", "/learn/rate")
    assert client.recv(timeout=PATIENCE).startswith(b"#bundle\0")


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "[]", "3", '"LISTEN"', "{}", '{"COMMAND":"LISTEN"}', "[" * 20000,
        '{"COMMAND":"LISTEN","DATA":7}', '{"COMMAND":"LISTEN","DATA":"/none"}',
        '{"COMMAND":"DANCE","DATA":"/learn/rate"}', '{"COMMAND":"LISTEN","DATA":["/learn/rate"]}',
    ],
    ids=range(12),
)  # fmt: skip
def test_a_command_that_is_none_is_passed_over(stage, text):
    client = stage.client()
    client.send(text)
    assert listen(client, "/learn/steps") == 1
    assert stage.web.broken == 0


def test_a_choice_whose_values_change_is_told_to_everybody(stage):
    client = stage.client()
    listen(client, "/learn/steps")
    stage.web.changed()
    assert told(client) == ("PATH_CHANGED", "/")
    stage.learner.known = ("mine", "yours")
    assert told(client) == ("PATH_CHANGED", "/learn/name")


# Playing


def test_what_is_sent_is_put_in_line(stage, hand):
    hand.send(encode("/learn/steps", 5))
    hand.send(encode("/norm/learn/rate", 0.5))
    assert listen(hand, "/learn/loss") == 0.25  # in order: what was sent before has been heard
    stage.space.apply(0.0)
    assert (stage.learner.steps, stage.learner.rate) == (5, pytest.approx(0.01))


def test_who_moved_a_knob_is_not_told_and_the_others_are(stage, hand):
    other = stage.client()
    for client in (hand, other):
        listen(client, "/learn/rate")
    hand.send(encode("/learn/rate", 0.5))
    listen(hand, "/text/learn/rate")
    stage.space.apply(0.0)
    assert told(other) == ("/learn/rate", 0.5)
    assert told(hand) == ("/text/learn/rate", "0.5")


def test_who_was_clipped_is_told(stage, hand):
    hand.send(encode("/learn/steps", 99))
    listen(hand, "/learn/loss")
    stage.space.apply(0.0)
    assert told(hand) == ("/learn/steps", 16)


def test_a_press_is_a_press(stage, hand):
    hand.send(encode("/learn/blank", True))
    listen(hand, "/learn/loss")
    stage.space.apply(0.0)
    assert stage.learner.blanks == 1


def test_a_reading_cannot_be_set(stage, hand):
    hand.send(encode("/learn/loss", 0.0))
    assert listen(hand, "/learn/loss") == 0.25
    stage.space.apply(0.0)
    assert (stage.learner.loss, stage.space.refused) == (0.25, 1)


@pytest.mark.parametrize(
    ("address", "value"),
    [
        ("/learn/rate", 0.011), ("/learn/steps", 1), ("/learn/on", True), ("/learn/rule", "adam"),
        ("/norm/learn/rate", 0.5005), ("/learn/name", ""),
    ],
)  # fmt: skip
def test_a_client_that_sends_back_what_it_read_when_it_comes_moves_nothing(stage, address, value):
    client = stage.client()
    client.send(encode(address, value))
    listen(client, "/learn/loss")
    stage.learner.rate = 0.0101  # what the client read, and another hand has moved since
    stage.space.apply(0.0)
    assert stage.learner.rate == 0.0101


def test_a_hand_that_comes_back_to_where_it_began_is_no_echo(stage):
    client = stage.client()
    client.send(encode("/norm/learn/rate", 0.8))
    client.send(encode("/norm/learn/rate", 0.5))
    listen(client, "/learn/loss")
    stage.space.apply(0.0)
    assert stage.learner.rate == pytest.approx(0.01)


def test_a_client_that_has_just_come_may_still_play(stage):
    client = stage.client()
    client.send(encode("/learn/rate", 0.3))
    client.send(encode("/learn/rule", "sgd"))
    listen(client, "/learn/loss")
    stage.space.apply(0.0)
    assert (stage.learner.rate, stage.learner.rule) == (pytest.approx(0.3), "sgd")


def test_hostile_packets_are_survived(stage, hand):
    chance = random.Random(1)
    for _ in range(300):
        hand.send(mutated(chance))
    assert listen(hand, "/learn/loss") == 0.25
    assert stage.web.broken == 0


def test_a_message_that_is_too_long_ends_only_its_own_line(stage, hand):
    other = stage.client()
    hand.send(b"x" * (web_module.LARGEST + 1))
    with pytest.raises(ConnectionClosed):
        hand.recv(timeout=PATIENCE)
    assert listen(other, "/learn/steps") == 1


def test_who_is_too_fast_waits():
    budget = Budget(100.0, 0.0)
    assert [budget.spend(1, 0.0) for _ in range(100)] == [0.0] * 100
    assert budget.spend(50, 0.0) == pytest.approx(0.5)
    assert budget.spend(1, 2.0) == 0.0


@pytest.mark.usefixtures("hand")
def test_a_packet_costs_as_much_as_is_in_it(stage):
    packet = next(iter(bundles([("/learn/rate", 0.5)] * 60, limit=1 << 15)))
    (client,) = stage.web._clients
    assert stage.web._hear(client, packet) == 60
    assert stage.web._hear(client, "{}") == 1


def test_the_tree_is_not_made_anew_for_every_question(stage, monkeypatch):
    monkeypatch.setattr(web_module, "KEPT", 60.0)
    answers = {stage.get("/learn")[0:2] for _ in range(5)}
    stage.learner.rate = 0.9
    assert stage.get("/learn")[0:2] in answers
    assert json.loads(stage.get("/learn/rate?VALUE")[1])["VALUE"] == [0.9]


def test_too_many_questions_are_turned_away(stage):
    for _ in range(int(web_module.MOST_ANSWERS)):
        stage.web._answers.allows(1e12)  # a second's worth, in a second that is yet to come
    assert stage.get("/learn/steps?VALUE")[0] == 429


def test_connections_that_say_nothing_leave_room_for_this_machine(stage):
    for host in ["10.0.0.9"] * 60 + [f"10.0.1.{number}" for number in range(100)]:
        if stage.web._lines.admits(host):
            stage.web._lines.count(host, 1)
    assert stage.web._lines.open["10.0.0.9"] == limits.MOST_OF_A_HOST
    assert sum(stage.web._lines.open.values()) == limits.MOST_LINES
    assert stage.get("/learn/rate")[0] == 200


def test_lines_that_have_gone_are_no_longer_counted(stage):
    for _ in range(3):
        stage.get("/learn/rate")
    client = stage.client()
    listen(client, "/learn/rate")
    client.close()
    stage.web.close()
    assert stage.web._lines.open == {}


def test_pages_are_counted(stage):
    client = stage.client()
    listen(client, "/stats/pages")
    other = stage.client()
    assert told(client) == ("/stats/pages", 2)
    other.close()
    assert told(client) == ("/stats/pages", 1)


def test_a_failing_client_is_told_once_and_costs_the_others_nothing(stage, monkeypatch, caplog):
    other = stage.client()
    monkeypatch.setattr(stage.web, "_hear", lambda *_: 1 / 0)
    with caplog.at_level(logging.WARNING):
        for client in (stage.client(), stage.client()):
            client.send("x")
            with pytest.raises(ConnectionClosed):
                client.recv(timeout=PATIENCE)
    monkeypatch.undo()
    assert listen(other, "/learn/steps") == 1
    assert (stage.web.broken, len(caplog.records)) == (2, 1)


# Pictures


def shown(client) -> tuple[dict[str, object], np.ndarray]:
    head, _, jpeg = client.recv(timeout=PATIENCE).partition(b"\n")
    decoder = av.CodecContext.create("mjpeg", "r")
    (frame,) = (*decoder.decode(av.Packet(jpeg)), *decoder.decode(None))
    return json.loads(head), frame.to_ndarray(format="bgr24")


def picture(value: int, height: int = 48, width: int = 64) -> np.ndarray:
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 2] = value, 20, 200
    return pixels


def test_a_page_gets_the_picture_it_asks_for(stage):
    client = stage.client("/pictures")
    client.send('{"made": 0}')
    stage.pictures.publish("made", picture(100))
    head, pixels = shown(client)
    assert (head, pixels.shape) == ({"name": "made", "number": 1, "more": 0}, (48, 64, 3))
    assert np.abs(pixels.reshape(-1, 3).mean(0) - [100, 20, 200]).max() < 6


def test_it_gets_no_picture_twice(stage):
    client = stage.client("/pictures")
    stage.pictures.publish("made", picture(100))
    client.send('{"made": 0}')
    assert shown(client)[0]["number"] == 1
    client.send('{"made": 1}')
    stage.pictures.publish("made", picture(50))
    assert shown(client)[0]["number"] == 2


def test_what_a_page_has_already_does_not_come_with_what_is_new(stage):
    client = stage.client("/pictures")
    stage.pictures.publish("made", picture(100))
    client.send('{"made": 0}')
    number = shown(client)[0]["number"]
    client.send(json.dumps({"made": number, "seen": 0}))
    stage.pictures.publish("seen", picture(50))
    assert shown(client)[0] == {"name": "seen", "number": number + 1, "more": 0}


def test_several_come_in_one_answer(stage):
    client = stage.client("/pictures")
    for name in ("seen", "made", "brain/1"):
        stage.pictures.publish(name, picture(9))
    client.send('{"seen": 0, "made": 0, "brain/1": 0, "brain/2": 0}')
    heads = [shown(client)[0] for _ in range(3)]
    assert [head["name"] for head in heads] == ["seen", "made", "brain/1"]
    assert [head["more"] for head in heads] == [2, 1, 0]


def test_a_picture_that_is_forgotten_meanwhile_costs_the_page_nothing(stage, monkeypatch):
    encode_it = stage.web._feed._encode

    def forgetful(name, pixels):
        stage.pictures.forget("brain/1")
        return encode_it(name, pixels)

    monkeypatch.setattr(stage.web._feed, "_encode", forgetful)
    for name in ("made", "brain/1"):
        stage.pictures.publish(name, picture(9))
    client = stage.client("/pictures")
    client.send('{"made": 0, "brain/1": 0}')
    assert [shown(client)[0]["name"] for _ in range(2)] == ["made", "brain/1"]


def test_one_picture_is_encoded_once_for_all_pages(stage, monkeypatch):
    encoded = []
    encode_it = stage.web._feed._encode
    monkeypatch.setattr(
        stage.web._feed, "_encode", lambda *given: encoded.append(given[0]) or encode_it(*given)
    )
    clients = [stage.client("/pictures") for _ in range(5)]
    stage.pictures.publish("made", picture(1))
    for client in clients:
        client.send('{"made": 0}')
    for client in clients:
        assert shown(client)[0]["number"] == 1
    assert encoded == ["made"]


def test_pictures_are_made_only_while_somebody_watches(stage, monkeypatch):
    watched = threading.Event()
    monkeypatch.setattr(stage.pictures, "watch", lambda *_: watched.set())
    client = stage.client("/pictures")
    client.send('{"made": 0}')
    assert watched.wait(PATIENCE)


def test_pictures_come_more_slowly_when_they_cost_much(stage):
    feed = stage.web._feed
    feed._cost["seen"] = 0.03, float("inf")
    feed._encode("made", picture(1)[..., :3])
    assert stage.pictures.every > 0.29
    feed._cost["seen"] = 9.0, float("inf")
    feed._encode("made", picture(1)[..., :3])
    assert stage.pictures.every == 1.0


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (49, 63), (192, 352)])
def test_pictures_of_any_size_are_shown(stage, height, width):
    client = stage.client("/pictures")
    stage.pictures.publish("made", picture(77, height, width))
    client.send('{"made": 0}')
    _, pixels = shown(client)
    assert pixels.shape == (height + height % 2, width + width % 2, 3)


@pytest.mark.parametrize("text", ["x", "[]", '{"made": "x"}', '{"made": 1e999}', b"\0", "{}"])
def test_a_question_that_is_none_is_passed_over(stage, text):
    client = stage.client("/pictures")
    client.send(text)
    stage.pictures.publish("made", picture(1))
    client.send('{"made": 0}')
    assert shown(client)[0]["number"] == 1


# Opening and closing


def test_a_port_that_is_taken_is_refused_with_what_to_do(stage):
    with pytest.raises(Refusal, match="--no-page"):
        WebServer(stage.space, stage.pictures, Guard(), port=stage.web.port)


@pytest.mark.parametrize("port", [-1, 70000])
def test_a_port_that_is_none_is_refused(stage, port):
    with pytest.raises(Refusal, match="1 to 65535"):
        WebServer(stage.space, stage.pictures, Guard(), port=port)


def test_an_address_that_is_not_ours_is_refused(stage):
    with pytest.raises(Refusal, match="--no-page"):
        WebServer(stage.space, stage.pictures, Guard(), host="192.0.2.1", port=0)


def test_closing_lets_clients_go_frees_the_port_and_may_be_done_twice(stage):
    client = stage.client()
    listen(client, "/learn/steps")
    stage.web.close()
    stage.web.close()
    stage.web.changed()
    with pytest.raises(ConnectionClosed):
        client.recv(timeout=PATIENCE)
    with contextlib.closing(WebServer(stage.space, Pictures(), Guard(), port=stage.web.port)):
        pass
