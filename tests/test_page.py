"""The page of First Light itself in a real browser, played by its mouse and keys."""

import contextlib
import shutil

import pytest
from fakes.browser import Page, button, fader, value
from fakes.programs import Instrument, Node, PureData, needs, until

from bridge.control.ear import Ear
from bridge.control.web import open_page
from bridge.params import Param

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PHONE = {"width": 390, "height": 844, "isMobile": True, "hasTouch": True, "deviceScaleFactor": 2}
pytestmark = [
    pytest.mark.clients,
    *needs("node"),
    pytest.mark.skipif(not CHROMIUM, reason="chromium is missing"),
]


@pytest.fixture(scope="module")
def node():
    with contextlib.closing(Node()) as node:
        yield node
        node("await kept.browser?.close()")


@pytest.fixture(scope="module")
def instrument():
    with contextlib.closing(Instrument("--in", "pattern:160x96")) as instrument:
        yield instrument


def opened(node, port, **screen):
    return contextlib.closing(Page(node, CHROMIUM, f"http://127.0.0.1:{port}/", **screen))


@pytest.fixture(scope="module")
def page(node, instrument):
    with opened(node, instrument.page) as page:
        yield page


@pytest.fixture
def pure_data(instrument, tmp_path):
    with contextlib.closing(PureData(tmp_path / "clients.pd", instrument.osc)) as pure_data:
        yield pure_data


@pytest.mark.parametrize("address", ["/learn/rate", "/learn/steps", "/see/gray"])
def test_a_dragged_fader_moves_its_knob_along(page, instrument, address):
    stood = page.stands(address)
    page.drag(address, 0.25)
    assert until(lambda: instrument.value(f"/norm{address}") != pytest.approx(stood, abs=0.01))
    expected = pytest.approx(stood + 0.25, abs=0.05)
    assert until(lambda: instrument.value(f"/norm{address}") == expected)
    assert until(lambda: page.stands(address) == expected)


def test_a_dragged_fader_shows_the_programs_own_words(page, instrument):
    page.drag("/learn/clip", 0.1)
    assert until(
        lambda: (
            instrument.value("/text/learn/clip") not in ("", "1")
            and page.words(value("/learn/clip")) == instrument.value("/text/learn/clip")
        )
    )


@pytest.mark.skipif(not shutil.which("pd"), reason="Pure Data is missing")
def test_pure_data_hears_what_is_dragged(page, instrument, pure_data):
    pure_data.play("/system/sync", pure_data.hears)
    stood = pure_data.hear("/learn/trust")
    page.drag("/learn/trust", 0.3)
    assert until(lambda: pure_data.hear("/learn/trust") == six_figures(instrument, "/learn/trust"))
    assert instrument.value("/learn/trust") > stood


def six_figures(instrument, address):
    return pytest.approx(instrument.value(address), rel=1e-5)


@pytest.mark.skipif(not shutil.which("pd"), reason="Pure Data is missing")
def test_what_pure_data_plays_moves_the_fader_on_the_page(page, pure_data):
    pure_data.play("/norm/see/blur", 0.75)
    assert until(lambda: page.stands("/see/blur") == pytest.approx(0.75))


def test_a_typed_value_is_in_the_knobs_own_units(page, instrument):
    page.click(value("/see/contrast"))
    page('await page.keyboard.type("2.5"); await page.keyboard.press("Enter")')
    assert until(lambda: instrument.value("/see/contrast") == 2.5)
    assert until(lambda: page.words(value("/see/contrast")) == "2.5")


def test_escape_takes_back_what_is_typed(page, instrument):
    page.click(value("/see/invert"))
    page('await page.keyboard.type("0.5"); await page.keyboard.press("Escape")')
    page.drag("/learn/mask", 0.1)
    assert until(lambda: instrument.value("/learn/mask") > 0)
    assert instrument.value("/see/invert") == 0


def test_a_double_click_brings_the_default_back_and_it_stays(page, instrument):
    page.drag("/learn/momentum", 0.2)
    assert until(lambda: instrument.value("/learn/momentum") > 0.9)
    page.click(fader("/learn/momentum"), count=2)
    assert until(lambda: instrument.value("/learn/momentum") == pytest.approx(0.9))
    stood = page.stands("/learn/momentum")
    page.later()
    assert page.stands("/learn/momentum") == stood


def test_a_fader_dragged_beyond_its_end_stays_there(page):
    assert page.stands("/learn/edges") == 0
    page.drag("/learn/edges", -0.25)
    page.later()
    assert page.stands("/learn/edges") == 0


def test_a_tap_puts_the_fader_there(page, instrument):
    page.click(fader("/learn/noise"))
    assert until(lambda: instrument.value("/norm/learn/noise") == pytest.approx(0.5, abs=0.02))


def test_one_click_on_blank_does_nothing_and_the_second_begins_again(page, instrument):
    network = instrument.value("/stats/hash")
    page.click(button("/learn/blank"))
    assert until(lambda: page.words(button("/learn/blank")) == "blank: sure?")
    page.drag("/learn/ssim", 0.2)
    assert until(lambda: instrument.value("/learn/ssim") > 0)
    assert instrument.value("/stats/hash") == network
    page.click(button("/learn/blank"))
    assert until(lambda: instrument.value("/stats/hash") != network)
    assert page.words(button("/learn/blank")) == "blank"


def test_a_switch_shows_its_own_press_and_can_be_pressed_back(page, instrument):
    page.click(button("/learn/on"))
    assert until(lambda: instrument.value("/learn/on") is False)
    assert page.words(button("/learn/on")) == "off"
    page.click(button("/learn/on"))
    assert until(lambda: instrument.value("/learn/on") is True)
    assert page.words(button("/learn/on")) == "on"


def test_a_choice_shows_its_own_press(page, instrument):
    page.click('.knob[data-address="/system/lost"] button:nth-child(2)')
    assert until(lambda: instrument.value("/system/lost") == "dream")
    on = ".knob[data-address='/system/lost'] .on"
    assert until(lambda: page.words(on) == "dream")


def test_the_sources_that_are_visible_are_buttons_and_that_which_plays_is_on(page, instrument):
    row = ".knob[data-address='/system/source']"
    begun = "pattern:160x96"
    assert until(lambda: page.words(f"{row} .on") == begun)
    assert until(lambda: page(f"return page.$$eval({f'{row} button'!r}, all => all.length)") >= 2)
    page.click(f"{row} button:nth-child(1)")
    assert until(lambda: instrument.value("/system/source") == "pattern:")
    assert until(lambda: page.words(f"{row} .on") == "pattern:")
    page.click(f"{row} button:nth-child(2)")
    assert until(lambda: instrument.value("/system/source") == begun)


def test_what_another_hand_changes_takes_no_fader_out_of_the_hand(page, instrument):
    take = "await page.evaluate(of => { window.taken = document.querySelector(of); }, given.of)"
    page(take, of=fader("/see/zoom"))
    page.click('.knob[data-address="/learn/rule"] button:nth-child(1)')
    sleeps = "return page.$eval(given.of, one => one.classList.contains('inactive'))"
    assert until(lambda: page(sleeps, of='.knob[data-address="/learn/second"]'))
    assert page("return page.evaluate(() => window.taken.isConnected)")
    assert instrument.value("/learn/rule") == "sgd"


def test_a_value_that_is_clicked_and_left_is_not_set(page, instrument):
    page.click(value("/learn/decay"))
    page('await page.keyboard.type("0.012345"); await page.keyboard.press("Enter")')
    assert until(lambda: instrument.value("/learn/decay") == pytest.approx(0.012345))
    assert until(lambda: page.words(value("/learn/decay")) == "0.0123")
    page.click(value("/learn/decay"))
    page('await page.keyboard.press("Enter")')
    page.drag("/learn/l1", 0.2)
    assert until(lambda: instrument.value("/learn/l1") > 0)
    assert instrument.value("/learn/decay") == pytest.approx(0.012345)


def test_a_look_over_a_full_slot_is_asked_for(page, instrument):
    looks = "[data-menu='/preset/name'].choice button"
    page.click(looks)
    assert until(lambda: instrument.value("/preset/slots") != "")
    there = instrument.value("/preset/slots")
    page.click(f"{looks}:nth-child(3)")
    page.drag("/learn/l2", -0.2)
    assert until(lambda: instrument.value("/learn/l2") < 1)
    assert instrument.value("/preset/slots") == there
    page.click(f"{looks}:nth-child(3)")
    assert until(lambda: instrument.value("/preset/slots") != there)


def test_a_network_that_is_gone_is_told_though_nothing_was_closed(page):
    page("await page.evaluate(() => { line.onmessage = null; heard = performance.now() - 5000; })")
    gone = "document.querySelector('#doing').textContent"
    assert until(lambda: "trying again" in page(f"return page.evaluate(() => {gone})"))
    assert until(lambda: "trying" not in page(f"return page.evaluate(() => {gone})"))


def test_who_does_not_confirm_is_asked_anew(page):
    page.click(button("/memory/forget"))
    assert page.words(button("/memory/forget")) == "forget: sure?"
    assert until(lambda: page.words(button("/memory/forget")) == "forget")


@pytest.mark.parametrize("name", ["seen", "made"])
def test_a_picture_is_drawn_and_goes_on(page, name):
    shown = pixels(page, name)
    assert until(lambda: pixels(page, name)["spread"] > 10)
    assert until(lambda: pixels(page, name)["all"] != shown["all"])


def pixels(page, name):
    return page(
        """
        return page.$eval(`#${given.name} canvas`, canvas => {
          const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const light = [...data].filter((_, index) => index % 4 === 1);
          return {spread: Math.max(...light) - Math.min(...light), all: light.join()};
        });
        """,
        name=name,
    )


def test_the_page_comes_back_by_itself(node):
    with playing(port=0) as first, opened(node, first.web.port) as page:
        assert until(lambda: page.words("#doing") == "learning")
        first.close()
        assert until(lambda: page.words("#doing") == "no answer; trying again")
        with playing(port=first.web.port) as second:
            assert until(lambda: page.words("#doing") == "learning")
            page.drag("/see/gray", 0.5)
            assert until(lambda: second.space.apply(0.0) or second.space["/see/gray"].value > 0.4)


def test_however_often_the_line_came_back_pictures_are_asked_for_once(node):
    with playing(port=0) as ear, opened(node, ear.web.port) as page:
        page("await page.evaluate(() => { watch(); watch(); })")
        page.later()
        assert ear.web._connections == 2  # the line, and one for the pictures


def test_pictures_are_not_asked_for_again_before_they_came(node):
    with playing(port=0) as ear, opened(node, ear.web.port) as page:
        page("await page.waitForFunction(() => feed?.readyState === WebSocket.OPEN)")
        asked = page("""
            return page.evaluate(() => {
              let asked = 0;
              feed.send = () => asked++;
              for (let times = 0; times < 3; times++) document.onvisibilitychange();
              return asked;
            });
        """)
        assert asked == 0


class See:
    gray = Param(0.0, min=0.0, max=1.0, doc="how much colour is taken away")


@contextlib.contextmanager
def playing(port):
    """What pages see of First Light, in no time."""
    with Ear(port=0) as ear:
        open_page(ear, "127.0.0.1", port)
        ear.space.add("/see", See())
        ear.stats.state = "learning"
        ear.complete()
        yield ear


@pytest.fixture(scope="module")
def phone(node, instrument):
    with opened(node, instrument.page, **PHONE) as phone:
        for_all = "heads => heads.forEach(head => head.click())"
        phone(f'await page.$$eval("section.shut h2", {for_all})')
        yield phone


def test_on_a_phone_nothing_lies_beside_the_screen(phone):
    wide = phone("return page.evaluate(() => document.scrollingElement.scrollWidth)")
    assert (
        wide <= PHONE["width"]
    )  # innerWidth would do no good: a phone makes room for all there is


def test_on_a_phone_every_fader_is_a_finger_high(phone):
    heights = phone('return page.$$eval(".fader", all => all.map(one => one.clientHeight))')
    assert len(heights) > 30
    assert min(heights) >= 30


def test_nothing_went_wrong_in_the_page(page):
    assert page("return wrong") == []
