"""The server: whom it answers, what it sends along, and that it keeps nothing. Requests are a hostile page's."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from psis_bench.demo.models import DemoModels
from psis_bench.demo.pictures import MAX_BYTES
from psis_bench.demo.server import make_app, start
from psis_bench.errors import UserError

UPDATE = "/_dash-update-component"
HOST = "127.0.0.1:8050"
OWN = {"base_url": f"http://{HOST}"}


@pytest.fixture(scope="module")
def app(models: DemoModels) -> Flask:
    return make_app(models)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def png(width: int = 40, height: int = 30) -> str:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def asked(client: FlaskClient, output: str) -> dict[str, Any]:
    """The callback that writes an output, as the page's own scripts learn of it."""
    callbacks = client.get("/_dash-dependencies", **OWN).get_json()
    (found,) = [callback for callback in callbacks if callback["output"].startswith(output)]
    return found


def call(client: FlaskClient, output: str, cause: str, values: dict[str, Any], **headers: str) -> Any:
    """Do what the browser does when ``cause`` changes."""

    def filled(part: dict[str, Any]) -> Any:
        if part["id"].startswith("{"):
            return []
        name = f"{part['id']}.{part['property']}"
        return {"id": part["id"], "property": part["property"], "value": values.get(name)}

    callback = asked(client, output)
    names = callback["output"].strip(".").split("...")
    outputs = [dict(zip(("id", "property"), name.rsplit(".", 1), strict=True)) for name in names]
    body = {
        "output": callback["output"],
        "outputs": outputs,
        "inputs": [filled(part) for part in callback["inputs"]],
        "state": [filled(part) for part in callback["state"]],
        "changedPropIds": [cause],
    }
    return client.post(UPDATE, json=body, headers=headers, **OWN)


def upload(client: FlaskClient, contents: Any, name: Any = "x.png", **headers: str) -> Any:
    return call(
        client,
        "..pixels.data",
        "upload.contents",
        {"upload.contents": contents, "upload.filename": name},
        **headers,
    )


def segment(client: FlaskClient, answer: dict[str, Any], boxes: list[Any], model: str = "0") -> Any:
    values = {
        "boxes.data": boxes,
        "model-a.value": model,
        "model-b.value": "none",
        "pixels.data": answer["pixels"]["data"],
        "picture.data": answer["picture"]["data"],
    }
    return call(client, "..masks.data", "boxes.data", values)


def test_an_upload_and_a_box_become_a_mask(client: FlaskClient):
    answer = upload(client, png()).get_json()["response"]
    assert answer["picture"]["data"]["name"] == "x"
    assert answer["boxes"]["data"] == []
    found = segment(client, answer, [{"xywh": [5, 5, 20, 20]}]).get_json()["response"]["masks"]["data"]
    assert found["a"]["side"] > 8
    assert found["b"] is None


def test_nothing_is_written_when_a_picture_is_uploaded_and_segmented(client: FlaskClient):
    segment(client, upload(client, png()).get_json()["response"], [])  # the model is loaded by now
    written: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event == "open":
            path, mode, flags = arguments
            if flags & 3 or any(letter in str(mode) for letter in "wax+"):
                written.append(str(path))
        elif watching and event in ("os.mkdir", "os.rename", "tempfile.mkstemp", "subprocess.Popen"):
            written.append(event)

    sys.addaudithook(watch)  # there is no way to take one back
    try:
        answer = upload(client, png(1700, 900)).get_json()["response"]
        segment(client, answer, [{"xywh": [5, 5, 200, 200]}])
    finally:
        watching = False
    assert written == []


@pytest.mark.parametrize(
    "host", ["example.org", "example.org:8050", "127.0.0.1.example.org", "192.168.0.7:8050", "[::1]:8050"]
)
def test_a_foreign_name_is_not_answered(client: FlaskClient, host: str):
    for path in ("/", "/_dash-layout", "/_dash-dependencies"):
        assert client.get(path, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.org"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "https://127.0.0.1:8050"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_request_of_another_site_is_refused(client: FlaskClient, headers: dict[str, str]):
    assert upload(client, png(), **headers).status_code == 403
    assert client.get("/_dash-layout", headers=headers, **OWN).status_code == 403


def test_the_pages_own_requests_are_answered(client: FlaskClient):
    assert upload(client, png(), Origin=f"http://{HOST}", **{"Sec-Fetch-Site": "same-origin"}).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_page_may_send_without_asking_is_not_taken(client: FlaskClient, kind: str):
    # Browsers let any page send these kinds to any address; JSON they ask for first.
    body = json.dumps({"output": "x", "inputs": []})
    assert client.post(UPDATE, data=body, content_type=kind, **OWN).status_code == 415


def test_a_request_that_is_too_large_is_refused_unread(client: FlaskClient):
    answer = client.post(UPDATE, data=b"x" * (2 * MAX_BYTES + 1), content_type="application/json", **OWN)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("contents", "told"),
    [
        ("data:image/svg+xml;base64," + base64.b64encode(b"<svg onload=alert(1)>").decode(), "no picture"),
        (png()[:200], "The|the"),
        ("file:///etc/passwd", "no file has arrived"),
        ({"a": 1}, "no file has arrived"),
    ],
)
def test_a_hostile_upload_is_answered_with_one_sentence(client: FlaskClient, contents: Any, told: str):
    answer = upload(client, contents, "<script>.svg")
    assert answer.status_code == 200
    response = answer.get_json()["response"]
    assert any(word in response["problem"]["children"] for word in told.split("|"))
    assert set(response) == {"problem"}


@pytest.mark.parametrize("model", ["7", "../x", "__class__", None, {"a": 1}])
def test_no_other_model_can_be_asked_for(client: FlaskClient, model: Any):
    answer = upload(client, png()).get_json()["response"]
    found = segment(client, answer, [{"xywh": [5, 5, 20, 20]}], model)
    assert found.status_code == 200
    assert "no such model" in found.get_json()["response"]["problem"]["children"]


@pytest.mark.parametrize(
    "path", ["/assets/../server.py", "/assets/%2e%2e/server.py", "/assets/..%2fserver.py", "/server.py"]
)
def test_no_other_file_is_served(client: FlaskClient, path: str):
    answer = client.get(path, **OWN)
    assert b"make_app" not in answer.data


def test_every_answer_forbids_what_the_page_does_not_need(client: FlaskClient):
    for path in ("/", "/_dash-layout", "/assets/demo.css", "/nothing"):
        with client.get(path, **OWN) as answer:
            headers = answer.headers
        rules = dict(rule.strip().split(" ", 1) for rule in headers["Content-Security-Policy"].split(";"))
        assert rules["default-src"] == "'none'"
        assert "unsafe" not in rules["script-src"]
        assert "http" not in headers["Content-Security-Policy"]
        assert rules["frame-ancestors"] == rules["form-action"] == rules["base-uri"] == "'none'"
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/", **OWN).headers["Cache-Control"] == "no-store"


def test_the_page_names_no_other_host(client: FlaskClient):
    for path in ("/", "/_dash-layout", "/_dash-dependencies", "/assets/demo.css", "/assets/names.js"):
        with client.get(path, **OWN) as answer:
            assert answer.status_code == 200
            assert not re.search(r"https?://|[\"'(]//", answer.get_data(as_text=True)), path


def test_it_listens_on_this_machine_only_and_a_taken_port_is_told(models: DemoModels):
    server = start(models, port=0)
    try:
        assert server.server_address[0] == "127.0.0.1"
        with pytest.raises(UserError, match=f"port {server.server_port} is taken; give another"):
            start(models, port=server.server_port)
    finally:
        server.server_close()
