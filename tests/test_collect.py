"""Collecting pictures from a FAKE Commons on loopback; no test reaches any other machine."""

import errno
import hashlib
import io
import itertools
import json
import os
import random
import time
import tomllib
from pathlib import Path

import pytest
from fakes.commons import Answer, Commons, paint
from PIL import Image

from bridge import Refusal, __version__, cli, files
from bridge.museum import collect, commons, fetch, haul, outside, wanted
from bridge.parsers import PARSERS

ROOT = Path(__file__).parents[1]
ME = "me@studio.test"


class Clock:
    def __init__(self):
        self.now, self.slept = 1000.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def fake(clock):
    with Commons(clock) as there:
        yield there


class Studio:
    """One folder to collect into, from the fake."""

    def __init__(self, fake, clock, folder):
        self.fake, self.clock, self.folder = fake, clock, folder
        self.out = folder / "paintings"
        self.config = folder / "list.toml"
        self.lists("Munch Museum")

    def lists(self, *names, category="Works in {name}", more=""):
        self.config.write_text(
            f"api = {json.dumps(self.fake.api)}\ncategory = {json.dumps(category)}\n"
            f"collections = {json.dumps(names)}\n{more}",
            encoding="utf-8",
        )

    def manifest(self, *rows, name="list.jsonl"):
        path = self.folder / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return str(path)

    def run(self, *words, anywhere=True, **web):
        if "--manifest" not in words:
            words = ("--config", str(self.config), *words)
        options = PARSERS["collect"]().parse_args(["--out", str(self.out), *words])
        there = fetch.Web(
            ME, options.rate, anywhere=anywhere, clock=self.clock, sleep=self.clock.sleep,
            **{"chance": lambda: 0.5, **web},
        )  # fmt: skip
        try:
            return collect.collect(options, there, self.clock)
        finally:
            there.close()

    def rows(self, name="manifest.jsonl"):
        path = self.out / name
        return list(map(json.loads, path.read_text("utf-8").splitlines())) if path.exists() else []

    def reasons(self):
        return [row["reason"] for row in self.rows("failed.jsonl")]


@pytest.fixture
def studio(fake, clock, tmp_path):
    return Studio(fake, clock, tmp_path)


# What is asked for


def test_all_of_a_category_comes_though_its_answer_comes_in_parts(studio, fake):
    fake.hang("Works in Munch Museum", *(f"{n}.jpg" for n in range(5)))
    assert studio.run() == 0
    assert len(fake.paths("/w/api.php")) == 3
    assert [row["url"] for row in studio.rows()] == [
        fake.url + fake.thumb(f"File:{n}.jpg") for n in range(5)
    ]


def test_a_picture_is_written_down_with_its_maker_its_licence_and_its_source(studio, fake):
    fake.hang("Works in Munch Museum", "Skrik.jpg")
    studio.run()
    (row,) = studio.rows()
    data = (studio.out / row["path"]).read_bytes()
    assert data == fake.files["File:Skrik.jpg"].data
    assert row == {
        "path": row["path"], "collection": "Munch Museum", "title": "The Scream",
        "artist": "Edvard Munch", "license": "Public domain",
        "source": f"{fake.url}/wiki/File%3ASkrik.jpg", "sha256": hashlib.sha256(data).hexdigest(),
        "url": fake.url + fake.thumb("File:Skrik.jpg"),
    }  # fmt: skip
    assert row["path"].startswith("Munch Museum/The Scream-")
    assert row["path"].endswith(".jpg")


def test_what_is_hidden_in_a_makers_name_is_left_out():
    told = {"Artist": {"value": 'Unknown&nbsp;<i>painter</i><span style="display: none;">?</span>'}}
    assert commons._plain(told, "Artist") == "Unknown painter"
    assert commons._plain({}, "Artist") == commons._plain({"Artist": None}, "Artist") == ""


def test_a_picture_without_a_title_is_called_after_its_file(studio, fake):
    fake.hang("Works in Munch Museum", "Skrik.old.jpg", told={})
    studio.run()
    assert studio.rows()[0]["title"] == "Skrik.old"


def test_pages_whose_picture_comes_in_a_later_answer_are_taken_then(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg")
    page = {"pageid": 1, "ns": 6, "title": "File:a.jpg"}
    first = {"continue": {"iicontinue": "x", "continue": "||"}, "query": {"pages": [page]}}
    fake.faults["/w/api.php"] = [Answer(body=json.dumps(first).encode(), type="application/json")]
    studio.run()
    assert len(studio.rows()) == 1
    assert fake.asked[1][2]["iicontinue"] == "x"


def test_a_circle_of_answers_ends(studio, fake):
    part = {"continue": {"gcmcontinue": "1", "continue": "||"}, "query": {}}
    fake.always["/w/api.php"] = Answer(body=json.dumps(part).encode(), type="application/json")
    assert studio.run() == 1
    assert len(fake.asked) == 2


def test_a_picture_smaller_than_the_thumbnail_is_taken_as_it_is(studio, fake):
    fake.hang("Works in Munch Museum", "small.jpg", size=(500, 300))
    fake.hang("Works in Munch Museum", "large.jpg", size=(501, 300))
    studio.run()
    assert [row["url"].split("/")[3] for row in studio.rows()] == ["original", "thumb"]


def test_drawings_books_and_films_are_left_out(studio, fake):
    for kind in ("image/svg+xml", "application/pdf", "video/webm", "image/vnd.djvu", "image/gif"):
        fake.hang("Works in Munch Museum", f"{kind[-3:]}.x", mime=kind)
    fake.hang("Works in Munch Museum", "a.jpg")
    studio.run()
    assert len(studio.rows()) == 1
    assert studio.rows("failed.jsonl") == []


@pytest.mark.parametrize("width", [300, 0, 512])
def test_a_width_that_commons_does_not_serve_is_refused_with_those_it_does(studio, width):
    with pytest.raises(Refusal, match="330, 500, 960"):
        studio.run("--width", str(width))


def test_a_permitted_width_is_asked_for(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg")
    studio.run("--width", "330")
    assert fake.asked[0][2]["iiurlwidth"] == "330"
    assert fake.paths("/thumb") == [fake.thumb("File:a.jpg", 330)]


def test_the_fake_turns_an_odd_width_away_as_commons_does(studio, fake):
    fake.hang("x", "a.jpg")
    studio.run("--manifest", studio.manifest({"url": fake.url + fake.thumb("File:a.jpg", 300)}))
    assert studio.reasons() == ["HTTP 429, 5 times"]


def test_a_thumbnail_that_commons_no_longer_serves_is_not_asked_for():
    url = "https://upload.wikimedia.org/wikipedia/commons/thumb/a/ab/X.tif/lossy-page1-{}px-X.jpg"
    with pytest.raises(outside.Failed, match="write 330px"):
        commons.check_thumbnail(url.format(300))
    commons.check_thumbnail(url.format(330))
    commons.check_thumbnail("https://museum.test/thumb/300px-X.jpg")


def test_at_most_so_many_of_each_collection(studio, fake):
    studio.lists("A", "B")
    for name in "AB":
        fake.hang(f"Works in {name}", *(f"{name}{n}.jpg" for n in range(5)))
    studio.run("--most", "2")
    assert [row["collection"] for row in studio.rows()] == ["A", "A", "B", "B"]
    assert len(fake.paths("/w/api.php")) == 2  # nor is more listed


@pytest.mark.parametrize("by", ["option", "config"])
def test_a_category_below_is_looked_into_where_that_is_asked(studio, fake, by):
    fake.hang("Works in Munch Museum", "a.jpg")
    fake.hang("Below", "a.jpg", "b.jpg")
    fake.below["Category:Works in Munch Museum"] = ["Category:Below"]
    studio.run()
    assert len(studio.rows()) == 1
    if by == "option":
        studio.run("--subcategories")
    else:
        studio.lists("Munch Museum", more="subcategories = true")
        studio.run()
    assert len(studio.rows()) == 2


def test_a_collection_is_looked_for_under_each_title_and_its_own(studio, fake, capsys):
    titles = ["Works in {name}", "Works in the {name}"]
    more = '[exceptions]\n"Odd  One" = "Paintings, odd"\n'
    studio.lists("Uffizi", "Odd  One", "Nowhere", category=titles, more=more)
    fake.hang("Works in the Uffizi", "a.jpg")
    fake.hang("Paintings, odd", "b.jpg")
    studio.run()
    assert [row["collection"] for row in studio.rows()] == ["Uffizi", "Odd One".replace(" ", "  ")]
    assert "called otherwise on Commons: Nowhere." in capsys.readouterr().err


def test_gaps_in_a_name_are_closed_as_a_wiki_does(studio, fake):
    studio.lists("MoMA,  Museum")
    fake.hang("Works in MoMA, Museum", "a.jpg")
    assert studio.run() == 0


def test_only_the_collection_that_is_named_is_fetched_whatever_its_capitals(studio, fake):
    studio.lists("Rijksmuseum", "Uffizi")
    for name in ("Rijksmuseum", "Uffizi"):
        fake.hang(f"Works in {name}", f"{name}.jpg")
    studio.run("--only", "UFFIZI")
    assert [row["collection"] for row in studio.rows()] == ["Uffizi"]
    with pytest.raises(Refusal, match="write Rijksmuseum"):
        studio.run("--only", "Rijks")


# Names


@pytest.mark.parametrize(
    "title",
    ["CON.jpg", 'a/b\\c:"d"?*<>|.jpg', "湖南省.jpg", "x" * 240 + ".jpg", "....jpg", " .jpg"],
)
def test_any_title_becomes_a_name_that_every_system_takes(studio, fake, title):
    fake.hang("Works in Munch Museum", title, told={})
    studio.run()
    (row,) = studio.rows()
    folder, name = row["path"].split("/")
    assert (studio.out / folder / name).is_file()
    assert files.file_name(name.rpartition("-")[0] or "x") in (name.rpartition("-")[0], "x")
    assert len(name.encode()) < 230
    assert not name.startswith("-")


def test_pictures_that_differ_in_capitals_only_have_files_of_their_own(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg", "A.jpg", "a.JPG", told={})
    studio.run()
    assert len({row["path"].casefold() for row in studio.rows()}) == 3


@pytest.mark.parametrize("name", ["../../out", "aux", "a/b", "???", "Musée d’Orsay, Paris"])
def test_a_collections_name_is_kept_and_its_folder_stays_inside(studio, fake, name):
    studio.lists(name)
    fake.hang(f"Works in {name}", "a.jpg")
    studio.run()
    (row,) = studio.rows()
    assert row["collection"] == name
    assert (studio.out / row["path"]).resolve().parent.parent == studio.out.resolve()


@pytest.mark.parametrize(
    ("kind", "ending"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tif")]
)
def test_a_file_is_called_after_what_it_is(studio, fake, kind, ending):
    fake.hang("Works in Munch Museum", "a.jpg", data=paint(kind=kind))
    studio.run()
    assert studio.rows()[0]["path"].endswith(f".{ending}")


# Manners


def test_who_asks_says_what_it_is_and_whom_to_write_to(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg")
    studio.run()
    assert {agent.partition(" urllib3")[0] for *_, agent in fake.asked} == {
        f"FirstLight/{__version__} ({ME})"
    }


@pytest.mark.parametrize("contact", [None, "", "me", "you@example.org", "a@b.c) x", "mé@b.test"])
def test_nobody_is_asked_without_somebody_to_write_to(contact):
    with pytest.raises(Refusal, match="--contact"):
        fetch.Web(contact)


def test_a_web_page_is_a_contact_too():
    assert "(https://studio.test/me)" in fetch.user_agent("https://studio.test/me")


def test_the_command_says_so_in_a_sentence(capsys):
    assert cli.main(["collect"]) == 2
    assert "add --contact" in capsys.readouterr().err


@pytest.mark.parametrize("rate", ["0", "-1", "11", "nan"])
def test_a_rate_that_is_none_or_a_burden_is_refused(rate, capsys):
    assert cli.main(["collect", "--contact", ME, "--rate", rate, "--config", "none.toml"]) == 2
    assert "up to 10" in capsys.readouterr().err


def test_requests_keep_their_distance(studio, fake):
    fake.hang("Works in Munch Museum", *(f"{n}.jpg" for n in range(3)))
    studio.run("--rate", "4")
    times = [at for at, *_ in fake.asked]
    assert times == [1000 + 0.25 * n for n in range(5)]


def test_what_takes_long_by_itself_is_not_waited_for_again(clock, fake):
    fake.others["/a"] = paint()
    web = fetch.Web(ME, anywhere=True, clock=clock, sleep=clock.sleep)
    for _ in range(2):
        web.get(fake.url + "/a", 1 << 20, haul.picture)
        clock.now += 3
    web.close()
    assert clock.slept == []


@pytest.mark.parametrize("status", [429, 503])
def test_who_says_later_is_left_alone_for_so_long(studio, fake, status):
    fake.hang("Works in Munch Museum", "a.jpg")
    fake.faults[fake.thumb("File:a.jpg")] = [Answer(status, {"Retry-After": "77"})]
    assert studio.run() == 0
    first, second = [at for at, path, *_ in fake.asked if path.startswith("/thumb")]
    assert second - first == 77


def test_a_date_and_nonsense_in_retry_after_are_understood():
    assert fetch._wait("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert fetch._wait("5") == 5
    assert fetch._wait("soon") is fetch._wait(None) is None


def test_who_does_not_say_when_is_asked_later_each_time(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg", "b.jpg")
    fake.always[fake.thumb("File:a.jpg")] = Answer(500)
    assert studio.run() == 0
    times = [at for at, path, *_ in fake.asked if path == fake.thumb("File:a.jpg")]
    assert [b - a for a, b in itertools.pairwise(times)] == [3, 6, 12, 24]
    assert studio.reasons() == ["HTTP 500, 5 times"]
    assert len(studio.rows()) == 1  # it went on


def test_two_who_were_refused_together_do_not_come_back_together():
    dice = random.Random(1)
    web = fetch.Web(ME, chance=dice.random)
    waits = {web._patience(1) for _ in range(50)}
    assert len(waits) == 50
    assert 4 <= min(waits) < max(waits) <= 8
    assert web._patience(9) == 60


def test_after_the_last_try_the_wish_to_be_left_alone_still_holds(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg", "b.jpg")
    fake.always[fake.thumb("File:a.jpg")] = Answer(429, {"Retry-After": "50"})
    studio.run()
    *_, before, last = [at for at, *_ in fake.asked]
    assert last - before == 50


def test_who_wants_hours_of_peace_ends_the_run_and_what_is_there_stays(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg", "b.jpg")
    fake.always[fake.thumb("File:b.jpg")] = Answer(429, {"Retry-After": "3600"})
    with pytest.raises(Refusal, match=r"left alone for 60 min.*what is there stays"):
        studio.run()
    assert len(studio.rows()) == 1


@pytest.mark.parametrize("code", ["maxlag", "ratelimited", "internal_api_error_DBQueryError"])
def test_a_database_that_lags_is_waited_for(studio, fake, code):
    fake.hang("Works in Munch Museum", "a.jpg")
    lag = json.dumps({"error": {"code": code, "info": "Waiting", "lag": 5.2}}).encode()
    fake.faults["/w/api.php"] = [
        Answer(200, {"Retry-After": "9", "MediaWiki-API-Error": code}, lag, "application/json"),
        Answer(200, {}, lag, "application/json"),
    ]
    assert studio.run() == 0
    times = [at for at, path, *_ in fake.asked if path == "/w/api.php"]
    assert [times[1] - times[0], times[2] - times[1]] == [9, 5]


def test_what_the_api_says_against_it_is_told_and_the_next_collection_comes(studio, fake, capsys):
    studio.lists("A", "B")
    fake.hang("Works in B", "b.jpg")
    wrong = json.dumps({"error": {"code": "badvalue", "info": "Unrecognized value"}}).encode()
    fake.faults["/w/api.php"] = [Answer(body=wrong, type="application/json")]
    assert studio.run() == 0
    assert "listed: A (its API says badvalue: Unrecognized value)" in capsys.readouterr().err


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"\xff"])
def test_an_api_that_answers_no_json_is_asked_again(studio, fake, body):
    fake.hang("Works in Munch Museum", "a.jpg")
    fake.faults["/w/api.php"] = [Answer(body=body)]
    assert studio.run() == 0


@pytest.mark.parametrize(("status", "asked"), [(403, 5), (429, 25)])
def test_who_refuses_everything_is_asked_no_more(studio, fake, status, asked):
    fake.hang("Works in Munch Museum", *(f"{n}.jpg" for n in range(9)))
    fake.part = 50
    for title in fake.files:
        fake.always[fake.thumb(title)] = Answer(status)
    with pytest.raises(Refusal, match=r"--contact reaches you, wait an hour.*same command"):
        studio.run()
    assert len(fake.paths("/thumb")) == asked
    assert len(studio.reasons()) == 5


def test_an_api_that_refuses_everything_is_asked_no_more(studio, fake):
    studio.lists(*"ABCDEFGH")
    fake.always["/w/api.php"] = Answer(403)
    with pytest.raises(Refusal, match="gives nothing any more"):
        studio.run()
    assert len(fake.asked) == 5


def test_pictures_that_are_gone_are_no_refusal(studio, fake):
    fake.hang("Works in Munch Museum", *(f"{n}.jpg" for n in range(9)))
    fake.part = 50
    for title in list(fake.files)[:8]:
        fake.always[fake.thumb(title)] = Answer(404)
    assert studio.run() == 0
    assert studio.reasons() == ["HTTP 404"] * 8


def test_a_refusal_now_and_then_does_not_add_up(studio, fake):
    fake.hang("Works in Munch Museum", *(f"{n}.jpg" for n in range(12)))
    for title in list(fake.files)[::2]:
        fake.always[fake.thumb(title)] = Answer(403)
    assert studio.run() == 0
    assert len(studio.rows()) == 6


def test_a_host_that_is_not_there_does_not_stop_the_others_of_a_manifest(studio, fake):
    fake.others["/a.jpg"] = paint()
    dead = [{"url": f"http://localhost:1/{n}.jpg"} for n in range(9)]
    assert studio.run("--manifest", studio.manifest(*dead, {"url": fake.url + "/a.jpg"})) == 0
    assert len(studio.rows()) == 1
    assert studio.reasons()[0] == "its robots.txt: it cannot be reached, 5 times"
    assert "see that the network works" in studio.reasons()[-1]


def test_a_manifest_whose_hosts_all_refuse_ends_in_a_sentence(studio, fake):
    rows = [{"url": f"{fake.url}/{n}.jpg"} for n in range(7)]
    fake.always |= {f"/{n}.jpg": Answer(403) for n in range(7)}
    with pytest.raises(Refusal, match="gives nothing any more"):
        studio.run("--manifest", studio.manifest(*rows))
    assert len(fake.paths()) == 6  # and robots.txt


def test_what_robots_may_not_have_is_left_alone(studio, fake):
    fake.robots = Answer(body=b"User-agent: *\nDisallow: /private/\nCrawl-delay: 30\n")
    fake.others |= {"/private/a.jpg": paint(), "/b.jpg": paint(9)}
    rows = [{"url": f"{fake.url}{path}"} for path in fake.others]
    studio.run("--manifest", studio.manifest(*rows))
    assert [row["url"] for row in studio.rows()] == [f"{fake.url}/b.jpg"]
    assert studio.reasons() == ["its robots.txt asks programs to leave it alone"]
    assert len(fake.paths("/robots.txt")) == 1


def test_the_pause_that_robots_txt_asks_for_is_made(studio, fake):
    fake.robots = Answer(body=b"User-agent: FirstLight\nCrawl-delay: 30\n")
    fake.others |= {"/a.jpg": paint(), "/b.jpg": paint(9)}
    studio.run("--manifest", studio.manifest(*({"url": fake.url + path} for path in fake.others)))
    _, first, second = [at for at, *_ in fake.asked]
    assert second - first == 30


@pytest.mark.parametrize(("status", "asked"), [(500, 0), (429, 0), (403, 1), (404, 1)])
def test_a_robots_txt_that_cannot_be_read_forbids_all_but_where_there_is_none(
    studio, fake, status, asked
):
    fake.robots, fake.others["/a.jpg"] = Answer(status), paint()
    studio.run("--manifest", studio.manifest({"url": fake.url + "/a.jpg"}))
    assert len(fake.paths("/a")) == asked


# What comes


def test_a_picture_that_breaks_off_is_fetched_again(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg")
    data = fake.files["File:a.jpg"].data
    fake.faults[fake.thumb("File:a.jpg")] = [
        Answer(body=data[:200], type="image/jpeg", length=len(data)),  # the header tells
        Answer(body=data[:-150], type="image/jpeg"),  # the picture itself does
        Answer(body=b"", type="image/jpeg"),
    ]
    assert studio.run() == 0
    assert (studio.out / studio.rows()[0]["path"]).read_bytes() == data


def test_one_that_stays_damaged_is_given_up_and_nothing_of_it_is_kept(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg", data=paint()[:-150])
    assert studio.run() == 1
    assert studio.reasons() == ["it is damaged, 5 times"]
    assert not list(studio.out.rglob("*.jpg"))


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"<html>no</html>", "text/html; charset=utf-8", "it is no picture but text/html"),
        (b"<svg/>", "image/svg+xml", "it is no picture but image/svg+xml"),
        (b"hello", "image/jpeg", "it is no picture that can be read"),
        (b"hello", "", "it is no picture that can be read"),
    ],
)
def test_what_is_no_picture_is_not_kept(studio, fake, body, kind, reason):
    fake.hang("Works in Munch Museum", "a.jpg")
    fake.always[fake.thumb("File:a.jpg")] = Answer(body=body, type=kind)
    studio.run()
    assert studio.reasons() == [reason]
    assert len(fake.paths("/thumb")) == 1


def test_a_picture_without_a_type_is_taken_for_what_it_is(studio, fake):
    fake.others["/a"] = paint()
    fake.faults["/a"] = [Answer(body=paint(), type="application/octet-stream")]
    assert studio.run("--manifest", studio.manifest({"url": fake.url + "/a"})) == 0


@pytest.mark.parametrize("length", [-1, collect.MOST + 1])
def test_a_file_that_is_too_large_is_not_read_to_its_end(studio, fake, monkeypatch, length):
    monkeypatch.setattr(collect, "MOST", 1 << 20 if length == -1 else collect.MOST)
    fake.hang("Works in Munch Museum", "a.jpg")
    body = bytes((1 << 20) + 1) if length == -1 else b""
    fake.always[fake.thumb("File:a.jpg")] = Answer(body=body, type="image/jpeg", length=length)
    studio.run()
    assert studio.reasons()[0].startswith("it is larger than")
    assert len(fake.paths("/thumb")) == 1


@pytest.mark.parametrize(("ours", "pillows"), [(24 * 16 - 1, 24 * 16), (24 * 16, 100)])
def test_a_picture_of_too_many_pixels_is_not_kept(monkeypatch, ours, pillows):
    monkeypatch.setattr(haul, "MOST_PIXELS", ours)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pillows)  # it throws at twice that
    with pytest.raises(outside.Failed, match="million pixels"):
        haul.decode(paint())


def test_a_server_that_trickles_is_left(clock, fake, monkeypatch):
    fake.others["/a"] = paint()
    monkeypatch.setattr(fetch, "WHOLE", -1.0)
    web = fetch.Web(ME, anywhere=True, clock=clock, sleep=clock.sleep)
    with pytest.raises(outside.Failed, match="not there after"):
        web.get(fake.url + "/a", 1 << 20, haul.picture)
    web.close()


# Where it leads


def test_an_address_that_has_moved_is_followed(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg")
    fake.others["/there.jpg"] = paint(7)
    fake.always[fake.thumb("File:a.jpg")] = Answer(302, {"Location": "/hop"})
    fake.always["/hop"] = Answer(301, {"Location": f"{fake.url}/there.jpg"})
    studio.run()
    assert (studio.out / studio.rows()[0]["path"]).read_bytes() == paint(7)


def test_one_that_leads_round_in_a_circle_is_left(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg")
    fake.always[fake.thumb("File:a.jpg")] = Answer(302, {"Location": "/round"})
    fake.always["/round"] = Answer(307, {"Location": fake.thumb("File:a.jpg")})
    studio.run()
    assert "from one address to the next" in studio.reasons()[0]
    assert len(fake.paths()) == 1 + 6


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "begins with http"),
        ("ftp://museum.test/a.jpg", "begins with http"),
        ("paintings/a.jpg", "begins with http"),
        ("//museum.test/a.jpg", "begins with http"),
        ("http://me:word@museum.test/a.jpg", "a name and a password"),
        ("http://[1/a.jpg", "is no address"),
    ],
)
def test_only_plain_http_and_https_are_followed(studio, url, reason):
    studio.run("--manifest", studio.manifest({"url": url}))
    assert reason in studio.reasons()[0]


@pytest.mark.parametrize(
    ("place", "reason"), [("file:///etc/passwd", "begins with http"), ("http://[a/", "no address")]
)
def test_nor_does_a_server_lead_elsewhere(studio, fake, place, reason):
    fake.always["/a.jpg"] = Answer(302, {"Location": place})
    studio.run("--manifest", studio.manifest({"url": fake.url + "/a.jpg"}))
    assert reason in studio.reasons()[0]


@pytest.mark.parametrize("url", ["http://[1/a.jpg?x=/y", "http://a\u2100.test/a.jpg#b/"])
def test_an_odd_address_in_a_list_has_a_title_all_the_same(studio, url):
    found, _ = wanted.manifest(Path(studio.manifest({"url": url})))
    assert found["list"][0].title == "a"


def test_a_host_that_wants_hours_of_peace_does_not_stop_the_others_of_a_manifest(studio, fake):
    fake.others["/a.jpg"] = paint()
    fake.robots = Answer(503, {"Retry-After": "3600"})
    other = fake.url.replace("127.0.0.1", "localhost")
    fake.faults["/robots.txt"] = [fake.robots, Answer(404)]
    rows = [{"url": f"{other}/a.jpg"}] * 2 + [{"url": f"{fake.url}/a.jpg"}]
    assert studio.run("--manifest", studio.manifest(*rows)) == 0
    assert studio.reasons()[0].startswith("localhost:")
    assert "left alone for 60 min" in studio.reasons()[0]
    assert len(studio.rows()) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_not_asked_for_a_strangers_list(studio, fake, host):
    url = f"http://{host}:{fake.server.server_port}/a.jpg"
    assert studio.run("--manifest", studio.manifest({"url": url}), anywhere=False) == 1
    assert "--anywhere" in studio.reasons()[0]
    studio.run()  # of whom there are no others
    assert fake.callers == 1


def test_nor_where_a_name_is_made_to_mean_it_after_it_was_looked_up(studio, fake, monkeypatch):
    monkeypatch.setattr(fetch, "look_up", lambda _host: None)
    assert studio.run("--manifest", studio.manifest({"url": fake.url}), anywhere=False) == 1
    assert "--anywhere" in studio.reasons()[0]
    assert fake.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2a00:1450:4001::1", True), ("127.0.0.1", False), ("10.1.2.3", False),
        ("192.168.1.1", False), ("172.16.0.1", False), ("169.254.169.254", False), ("::1", False),
        ("0.0.0.0", False), ("100.64.0.1", False), ("fe80::1%eth0", False), ("224.0.0.1", False),
        ("fd00::1", False), ("::ffff:127.0.0.1", False), ("::ffff:8.8.8.8", True),
        ("::ffff:100.64.0.1", False), ("::ffff:224.0.0.1", False),
    ],
)  # fmt: skip
def test_which_addresses_are_outside(address, public):
    assert outside.is_public(address) is public


def test_a_host_with_its_port_is_looked_up_by_its_name():
    for netloc in ("127.0.0.1:80", "[::1]:80", "[::1]"):
        with pytest.raises(outside.Failed):
            outside.look_up(netloc)
    outside.look_up("8.8.8.8:443")


# Going on


def test_what_is_there_is_not_fetched_again(studio, fake, capsys):
    fake.hang("Works in Munch Museum", "a.jpg", "b.jpg")
    studio.run()
    before = studio.rows()
    fake.asked.clear()
    assert studio.run() == 0
    assert fake.paths("/thumb") == []
    assert studio.rows() == before
    told = f"0 fetched, 2 there already, 0 failed; pictures in {studio.out}: 2."
    assert told in capsys.readouterr().err


def test_a_picture_that_was_damaged_meanwhile_is_fetched_again(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg")
    studio.run()
    path = studio.out / studio.rows()[0]["path"]
    path.write_bytes(paint(1))
    studio.run()
    assert path.read_bytes() == paint()


def test_one_that_was_taken_away_is_fetched_again(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg")
    studio.run()
    (studio.out / studio.rows()[0]["path"]).unlink()
    studio.run()
    assert (studio.out / studio.rows()[0]["path"]).is_file()


def test_pictures_of_a_run_that_was_killed_are_found_by_their_names(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg", "b.jpg")
    studio.run()
    before = studio.rows()
    (studio.out / "manifest.jsonl").unlink()
    path = studio.out / before[0]["path"]
    path.write_bytes(path.read_bytes()[:-100])  # as no run of ours leaves it
    fake.asked.clear()
    studio.run()
    assert fake.paths("/thumb") == [fake.thumb("File:a.jpg")]
    assert studio.rows() == before


def test_a_damaged_line_of_the_manifest_costs_nothing(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg")
    studio.run()
    manifest, before = studio.out / "manifest.jsonl", studio.rows()
    manifest.write_text(manifest.read_text("utf-8")[:40], "utf-8")
    fake.asked.clear()
    studio.run()
    assert fake.paths("/thumb") == []
    assert studio.rows() == before


def test_a_picture_whose_title_changed_is_still_the_same(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg")
    studio.run()
    path = studio.rows()[0]["path"]
    fake.files["File:a.jpg"].told["ObjectName"] = {"value": "Skrik"}
    studio.run()
    assert [(row["path"], row["title"]) for row in studio.rows()] == [(path, "Skrik")]


def test_ctrl_c_loses_nothing(studio, fake, clock, capsys):
    fake.hang("Works in Munch Museum", "a.jpg", "b.jpg", "c.jpg")
    fake.part = 50

    def interrupt(seconds):
        if len(fake.paths("/thumb")) == 2:
            raise KeyboardInterrupt
        clock.now += seconds

    clock.sleep = interrupt
    with pytest.raises(KeyboardInterrupt):
        studio.run()
    assert len(studio.rows()) == 2
    assert "the same command goes on" in capsys.readouterr().err


def test_the_lists_are_written_down_on_the_way(studio, fake, monkeypatch):
    monkeypatch.setattr(collect, "CHECKPOINT", 2)
    fake.hang("Works in Munch Museum", *(f"{n}.jpg" for n in range(5)))
    counted = []
    save = haul.Haul.save

    def counting(self):
        save(self)
        counted.append(len(studio.rows()))

    monkeypatch.setattr(haul.Haul, "save", counting)
    studio.run()
    assert counted == [2, 4, 5]


def test_what_failed_is_listed_with_its_reason_until_it_is_had(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg", "b.jpg")
    path = fake.thumb("File:a.jpg")
    fake.always[path] = Answer(404)
    studio.run()
    (row,) = studio.rows("failed.jsonl")
    assert (row["collection"], row["url"], row["reason"]) == (
        "Munch Museum", fake.url + path, "HTTP 404",
    )  # fmt: skip
    del fake.always[path]
    studio.run()
    assert len(studio.rows()) == 2
    assert not (studio.out / "failed.jsonl").exists()


def test_collections_of_earlier_runs_stay_written_down(studio, fake):
    studio.lists("A", "B")
    for name in "AB":
        fake.hang(f"Works in {name}", f"{name}.jpg")
    studio.run("--only", "A")
    studio.run("--only", "B")
    assert [row["collection"] for row in studio.rows()] == ["A", "B"]


def test_a_manifest_that_points_out_of_its_folder_is_not_believed(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg")
    studio.out.mkdir()
    (studio.folder / "secret.jpg").write_bytes(paint())
    row = {"path": "../secret.jpg", "sha256": hashlib.sha256(paint()).hexdigest()}
    (studio.out / "manifest.jsonl").write_text(json.dumps(row) + "\n")
    studio.run()
    assert [row["collection"] for row in studio.rows()] == ["Munch Museum"]


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("Uffizi/a.jpg", True), ("../a.jpg", False), ("b/../../a.jpg", False),
        ("/etc/passwd", False), ("C:/a.jpg", False), ("C:a.jpg", False), ("..\\a.jpg", False),
    ],
)  # fmt: skip
def test_which_paths_stay_in_their_folder(path, inside):
    assert haul.stays_inside(path) is inside


def test_what_was_taken_away_is_no_longer_written_down(studio, fake):
    studio.lists("A", "B")
    for name in "AB":
        fake.hang(f"Works in {name}", f"{name}.jpg")
    studio.run()
    (studio.out / studio.rows()[0]["path"]).unlink()
    studio.run("--only", "B")
    assert [row["collection"] for row in studio.rows()] == ["B"]


def test_a_picture_of_another_width_is_another_picture(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg")
    studio.run()
    studio.run("--width", "330")
    assert len(fake.paths("/thumb")) == len(studio.rows()) == 2


def test_a_manifest_of_somebody_else_is_not_written_over(studio):
    studio.out.mkdir()
    theirs = studio.out / "manifest.jsonl"
    theirs.write_text('{"url": "http://museum.test/a.jpg"}\n')
    with pytest.raises(Refusal, match="not written by firstlight collect"):
        studio.run()
    with pytest.raises(Refusal, match="it would be written over"):
        studio.run("--manifest", str(theirs))
    assert "museum.test" in theirs.read_text()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_ends_in_a_sentence_and_what_is_there_is_whole(
    studio, fake, monkeypatch, number
):
    fake.hang("Works in Munch Museum", "a.jpg", "b.jpg")
    replace = os.replace

    def full(source, target):
        if str(target).endswith(".jsonl") or len(fake.paths("/thumb")) > 1:
            raise OSError(number, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(Refusal, match="the disk is full"):
        studio.run()
    assert [path.suffix for path in studio.out.rglob("*") if path.is_file()] == [".jpg"]
    monkeypatch.setattr(os, "replace", replace)
    fake.asked.clear()
    studio.run()
    assert fake.paths("/thumb") == [fake.thumb("File:b.jpg")]
    assert len(studio.rows()) == 2


def test_a_place_that_cannot_be_written_ends_in_a_sentence(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg")
    studio.out.write_text("a file")
    with pytest.raises(Refusal, match="choose another folder"):
        studio.run()


def test_what_a_killed_writer_left_is_swept_away(studio, fake):
    fake.hang("Works in Munch Museum", "a.jpg")
    left = studio.out / "Munch Museum" / ".x.jpg.1.part"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    os.utime(left, (time.time() - 7200,) * 2)
    studio.run()
    assert not left.exists()


def test_nothing_is_made_where_nothing_came(studio):
    assert studio.run() == 1
    assert not studio.out.exists()


# Lists


def test_a_manifest_says_whose_each_picture_is(studio, fake):
    fake.others |= {"/a.jpg": paint(), "/b%20c.jpg": paint(5)}
    row = {
        "URL": f"{fake.url}/a.jpg", "Collection": "Uffizi", "licence": "CC0", "title": "Venus",
        "artist": "Sandro", "source": "https://uffizi.test/1", "year": 1485,
    }  # fmt: skip
    studio.run("--manifest", studio.manifest(row, {"url": f"{fake.url}/b%20c.jpg", "title": None}))
    first, second = studio.rows()
    told = ("collection", "license", "title", "artist", "source")
    assert [first[key] for key in told] == [
        "Uffizi", "CC0", "Venus", "Sandro", "https://uffizi.test/1",
    ]  # fmt: skip
    assert [second[key] for key in told] == ["list", "", "b c", "", ""]


@pytest.mark.parametrize("comma", [",", ";", "\t"])
def test_a_table_may_be_a_spreadsheets(studio, comma):
    path = studio.folder / "list.csv"
    lines = [["url", "title", "collection"], ["http://a.test/1.jpg", '"A; b,\nc"', "Łódź"], [""]]
    text = "\r\n".join(comma.join(line) for line in lines)
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    found, without = wanted.manifest(path)
    assert [(one.title, one.collection) for one in found["Łódź"]] == [("A; b, c", "Łódź")]
    assert without in (0, 1)


def test_lines_that_list_nothing_are_told_and_the_others_are_fetched(studio, fake, capsys):
    fake.others["/a.jpg"] = paint()
    path = Path(studio.manifest({"url": f"{fake.url}/a.jpg"}, {"title": "none"}, [1]))
    path.write_text(path.read_text() + "{broken\n\n")
    assert studio.run("--manifest", str(path)) == 0
    assert "3 lines list no picture" in capsys.readouterr().err


def test_the_same_address_twice_is_one_picture(studio, fake, capsys):
    fake.others["/a.jpg"] = paint()
    studio.run("--manifest", studio.manifest(*[{"url": f"{fake.url}/a.jpg"}] * 3))
    assert "1 fetched, 0 there already" in capsys.readouterr().err


def test_but_in_two_collections_it_is_two_even_where_their_folders_are_one(studio, fake):
    fake.others["/a.jpg"] = paint()
    rows = [{"url": f"{fake.url}/a.jpg", "collection": name} for name in ("a/b", "a-b")]
    studio.run("--manifest", studio.manifest(*rows))
    assert {row["path"].partition("/")[0] for row in studio.rows()} == {"a-b"}
    assert len({row["path"] for row in studio.rows()}) == 2


def test_at_most_so_many_of_a_manifest(studio, fake):
    fake.others |= {f"/{n}.jpg": paint(n) for n in range(3)}
    rows = [{"url": fake.url + path} for path in fake.others]
    studio.run("--most", "2", "--manifest", studio.manifest(*rows))
    assert len(studio.rows()) == 2


@pytest.mark.parametrize("most", ["0", "-1"])
def test_less_than_one_of_each_is_refused(studio, most):
    with pytest.raises(Refusal, match="at least 1"):
        studio.run("--most", most)


def test_a_thumbnail_in_a_list_that_commons_no_longer_serves_says_which_to_write(studio):
    url = "https://upload.wikimedia.org/wikipedia/commons/thumb/a/ab/X.jpg/300px-X.jpg"
    studio.run("--manifest", studio.manifest({"url": url}))
    assert "write 330px" in studio.reasons()[0]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "path,title\na.jpg,A\n", "no column url, only path, title"),
        ("a.jsonl", '{"path": "a.jpg"}\n', "no column url, only path"),
        ("a.csv", "url\n", "no line of it lists a picture"),
        ("a.jsonl", "", "no line of it lists a picture"),
        ("a.jsonl", "nonsense\n", "no line of it lists a picture"),
        ("a.csv", "url\n\xff", "is not UTF-8"),
        ("b.csv", None, "check the path"),
    ],
)
def test_a_list_that_is_none_says_what_to_write(tmp_path, name, text, said):
    if text is not None:
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(Refusal, match=said):
        wanted.manifest(tmp_path / name)


def test_halves_of_letters_in_a_list_can_be_written_down(studio, fake):
    fake.others["/a.jpg"] = paint()
    row = {"url": f"{fake.url}/a.jpg", "title": "a\ud800b"}
    assert studio.run("--manifest", studio.manifest(row)) == 0
    assert studio.rows()[0]["title"] == "a?b"


def test_a_separator_inside_a_text_ends_no_line(tmp_path):
    path = tmp_path / "list.jsonl"
    path.write_text('{"url": "http://a.test/", "title": "a\u2028b"}\n', encoding="utf-8")
    assert wanted.manifest(path)[0]["list"][0].title == "a b"


def test_the_collections_of_2017_ship_with_the_program():
    config = wanted.collections(None)
    assert config.api.startswith("https://")
    assert len(config.collections) == len(set(config.collections)) == 122
    assert {"al Sabah Collection, Kuwait", "MoMA,  Museum of Modern Art"} < set(config.collections)
    assert config.exceptions.keys() < set(config.collections)
    assert config.titles("Tate Britain")[0] == "Google Art Project works in Tate Britain"
    text = (ROOT / "configs" / "collections-2017.toml").read_text(encoding="utf-8")
    assert "tested only against a stand-in" in text


def test_an_installed_package_finds_them_too(tmp_path, monkeypatch):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    setup = project["tool"]["setuptools"]
    assert "bridge.configs" in setup["packages"]
    assert setup["package-dir"]["bridge.configs"] == "configs"
    assert setup["package-data"]["bridge.configs"] == ["collections-*.toml"]
    shipped = (ROOT / "configs" / "collections-2017.toml").read_bytes()
    (tmp_path / "collections-2017.toml").write_bytes(shipped)
    monkeypatch.setattr(wanted, "FOLDERS", (tmp_path,))
    monkeypatch.chdir(tmp_path.parent)
    for asked in (None, "collections-2017", "configs/collections-2017.toml"):
        assert len(wanted.collections(asked).collections) == 122


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colections = []", "did you mean collections"),
        ("zzz = 1", "there are api"),
        ('api = "file:///x"', "api takes the address"),
        ('category = "Works"', "takes a text with"),
        ("collections = [1]", "takes a list of names"),
        ('subcategories = "yes"', "takes true or false"),
        ('exceptions = ["a"]', "takes a table"),
        ('api = "http://a.test"', "it lacks category and collections"),
        ("[", "is not TOML"),
    ],
)
def test_a_config_that_is_wrong_says_what_to_write(tmp_path, text, said):
    path = tmp_path / "list.toml"
    path.write_text(text)
    with pytest.raises(Refusal, match=said):
        wanted.collections(str(path))


def test_a_config_that_is_not_there_says_so():
    with pytest.raises(Refusal, match="check the path"):
        wanted.collections("nowhere.toml")


# What is told


def test_long_work_is_told_in_plain_lines_now_and_then(studio, fake, capsys):
    fake.hang("Works in Munch Museum", *(f"{n}.jpg" for n in range(40)))
    fake.part = 50
    studio.run()
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [
        "1/1 Munch Museum",
        "1/1 Munch Museum: 15 of 40",
        "1/1 Munch Museum: 30 of 40",
    ]
    assert lines[-1] == f"next: firstlight collections {studio.out} --out museum"


def test_on_a_terminal_a_bar_shows_names_as_they_are(studio, fake, monkeypatch):
    console = collect.Console(file=io.StringIO(), force_terminal=True, width=100)
    monkeypatch.setattr(collect, "Console", lambda **_: console)
    studio.lists("[bold]Odd", "[red]None")
    fake.hang("Works in [bold]Odd", "a.jpg", "b.jpg")
    studio.run()
    shown = console.file.getvalue()
    assert "1/2 [bold]Odd" in shown
    assert "on Commons: [red]None." in shown
    assert "2/2" in shown


def test_the_help_says_what_it_was_tested_against(capsys):
    with pytest.raises(SystemExit):
        cli.main(["collect", "--help"])
    assert "never against the real" in capsys.readouterr().out
