"""Who may drive the studio: nobody but its own page, and nothing outside of its folders."""

from __future__ import annotations

import http.client
import json

import pytest

from ddspvae.signals.checks import InputError

from ..studio_server import ask, served_here

pytest.importorskip("starlette", reason="the extra `studio` is not installed")
from ddspvae.studio.folders import Home, check_name, inside


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    with served_here(tmp_path_factory.mktemp("studio")) as address:
        yield address


def test_the_page_is_served_to_who_has_the_token(studio):
    port, token = studio
    status, page = ask(port, token, "/")
    assert status == 200 and b"<main" in page
    assert ask(port, token, "/page/app.js")[0] == 200
    assert ask(port, token, "/api/home")[0] == 200


def test_the_address_sets_a_cookie_that_scripts_and_other_pages_do_not_get(studio):
    port, token = studio
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", f"/?token={token}")
    answer = connection.getresponse()
    assert answer.status == 303 and answer.getheader("location") == "/"
    cookie = answer.getheader("set-cookie")
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie


def test_nothing_without_the_token(studio):
    port, token = studio
    other = ("y" if token[0] == "x" else "x") + token[1:]
    for path in ("/", "/page/app.js", "/api/home", "/api/projects/x"):
        assert ask(port, token, path, Cookie=None)[0] == 403
        assert ask(port, other, path)[0] == 403
    assert ask(port, token, "/?token=wrong", Cookie=None)[0] == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"])
def test_a_foreign_origin_is_refused(studio, origin):
    port, token = studio
    assert ask(port, token, "/api/projects", "POST", b'{"name": "mine"}', Origin=origin)[0] == 403
    assert ask(port, token, "/api/home", Origin=origin)[0] == 403


def test_a_change_must_say_where_it_comes_from(studio):
    port, token = studio
    assert ask(port, token, "/api/projects", "POST", b'{"name": "mine"}', Origin=None)[0] == 403
    assert ask(port, token, "/api/home", Sec_Fetch_Site="cross-site")[0] == 403


def test_another_host_name_is_refused(studio):  # or a page of elsewhere could point its own name to 127.0.0.1
    port, token = studio
    assert ask(port, token, "/api/home", Host=f"evil.example:{port}")[0] == 421


@pytest.mark.parametrize("path", ["/api/play", "/api/listen"])
def test_a_foreign_websocket_is_refused(studio, path):
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    port, token = studio
    cookie = {"Cookie": f"ddspvae-{port}={token}"}
    for origin, headers in ((f"http://127.0.0.1:{port}", {}), ("http://evil.example", cookie), (None, cookie)):
        with pytest.raises(InvalidStatus):
            connect(f"ws://127.0.0.1:{port}{path}", origin=origin, additional_headers=headers)
    with connect(f"ws://127.0.0.1:{port}{path}", origin=f"http://127.0.0.1:{port}", additional_headers=cookie) as socket:
        assert socket.protocol.state.name == "OPEN"


@pytest.mark.parametrize("path", [
    "/page/../server.py", "/page/..%2fserver.py", "/page/%2e%2e/%2e%2e/server.py",
    "/api/projects/..%2f..%2fetc/exports/passwd", "/api/projects/%2e%2e/exports/x", "/api/trainings/..%2f../progress",
    "/api/preset?preset=/etc/passwd", "/api/preset?preset=../../x.safetensors"])
def test_paths_stay_inside(studio, path):
    port, token = studio
    status, body = ask(port, token, path)
    assert status in (400, 404) and b"root:" not in body and b"def serve" not in body


def test_two_gigabytes_are_refused_before_they_come(studio):
    port, token = studio
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("POST", "/api/projects/x/files?name=a.mid")
    for name, value in (("Cookie", f"ddspvae-{port}={token}"), ("Origin", f"http://127.0.0.1:{port}"),
                        ("Content-Length", str(2_000_000_000))):
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 413


def test_a_body_that_hides_its_length_is_cut_off(studio):
    port, token = studio
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Cookie": f"ddspvae-{port}={token}", "Origin": f"http://127.0.0.1:{port}"}
    try:
        connection.request("POST", "/api/projects", body=(b" " * 1_000_000 for _ in range(60)), headers=headers,
                           encode_chunked=True)
        status = connection.getresponse().status
    except (BrokenPipeError, ConnectionResetError):  # cut off while it was sent
        status = 413
    assert status == 413


def test_no_script_but_the_own_runs(studio):
    port, token = studio
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/", headers={"Cookie": f"ddspvae-{port}={token}"})
    answer = connection.getresponse()
    policy = answer.getheader("content-security-policy")
    assert "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe" not in policy
    assert answer.getheader("x-content-type-options") == "nosniff" and answer.getheader("x-frame-options") == "DENY"
    page = answer.read().decode()
    assert "http" not in page.replace("http-equiv", "") and "style=" not in page and "<script>" not in page


def test_what_is_wrong_is_said_in_a_sentence(studio):
    port, token = studio
    for name in ("../up", ".hidden", "a/b", "", "x" * 200, "<b>bold</b>", None, 3):
        status, body = ask(port, token, "/api/projects", "POST", json.dumps({"name": name}).encode())
        assert status == 400 and body.startswith(b"studio: the name of a project must be"), body
    assert ask(port, token, "/api/projects", "POST", b"not json")[0] == 400


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "a\\b", ".git", "a\0b", "x" * 81, " ", "CO\nN", "a:b"])
def test_names_that_a_path_could_be_made_of(name):
    with pytest.raises(InputError, match="the name of a song must be"):
        check_name("song", name)


def test_a_link_that_leads_out_is_not_followed(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to("/etc")
    with pytest.raises(InputError, match="outside of its folder"):
        inside(tmp_path / "in", "link")


def test_the_token_is_kept_and_only_its_owner_reads_it(tmp_path):
    home = Home(tmp_path)
    token = home.token()
    assert len(token) >= 32 and Home(tmp_path).token() == token
    assert (tmp_path / ".token").stat().st_mode & 0o077 == 0
