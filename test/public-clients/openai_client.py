"""The openai client: embeddings as floats and base64, of strings, lists and token ids, and the list of models."""

import json
import shutil
from base64 import b64decode

import numpy as np
import openai

from report import Report
from served import ROOT, gateway

report = Report()
REFERENCE = json.loads((ROOT / "test/fixtures/texts/reference.json").read_text())
TEXTS = [t["text"] for t in REFERENCE["texts"]]
WANTED = np.array([t["normalized"] for t in REFERENCE["texts"]], np.float32)


def texts(folder):
    shutil.copytree(ROOT / "deploy/examples/texts/models", folder, dirs_exist_ok=True)


def near(told, wanted):
    got = np.array([d.embedding for d in sorted(told.data, key=lambda d: d.index)], np.float32)
    assert got.shape == wanted.shape and np.allclose(got, wanted, atol=1e-4), np.abs(got - wanted).max()
    assert told.usage.prompt_tokens > 0 and told.object == "list"


with gateway(texts, "--embedding-model", "sentences") as served:
    client = openai.OpenAI(base_url=f"http://{served.http}/v1", api_key="none", max_retries=0, timeout=60)

    def one():
        near(client.embeddings.create(model="sentences", input=TEXTS[0]), WANTED[:1])

    def several():
        near(client.embeddings.create(model="sentences", input=TEXTS), WANTED)

    def floats():
        near(client.embeddings.create(model="sentences", input=TEXTS, encoding_format="float"), WANTED)

    def base64():
        raw = client.embeddings.with_raw_response.create(model="sentences", input=TEXTS[:1], encoding_format="base64")
        got = np.frombuffer(b64decode(json.loads(raw.text)["data"][0]["embedding"]), "<f4")
        assert np.allclose(got, WANTED[0], atol=1e-4)

    def tokens():
        ids = REFERENCE["texts"][0]["ids"]
        assert len(client.embeddings.create(model="sentences", input=ids).data[0].embedding) == WANTED.shape[1]
        assert len(client.embeddings.create(model="sentences", input=[ids, ids]).data) == 2

    def dimensions():
        told = client.embeddings.create(model="sentences", input=TEXTS[0], dimensions=8).data[0].embedding
        assert len(told) == 8 and np.isclose(np.linalg.norm(told), 1, atol=1e-4)

    def models():
        assert "sentences" in [m.id for m in client.models.list().data]

    def unknown():
        try:
            client.embeddings.create(model="nobody", input="x")
        except openai.NotFoundError:
            return
        raise AssertionError("a model that nobody has answers")

    def too_long():
        try:
            client.embeddings.create(model="sentences", input=["a", "batch " * 300])
        except openai.BadRequestError as refused:
            assert refused.code == "context_length_exceeded" and "maximum context length" in refused.message, refused
            return
        raise AssertionError("a text that is too long is answered")

    def empty():
        try:
            client.embeddings.create(model="sentences", input=["a", ""])
        except openai.BadRequestError as refused:
            assert refused.param == "input", refused
            return
        raise AssertionError("an empty text is answered")

    def most():
        told = client.embeddings.create(model="sentences", input=["a"] * 2048, user="somebody")
        assert len(told.data) == 2048 and told.data[-1].index == 2047
        try:
            client.embeddings.create(model="sentences", input=["a"] * 2049)
        except openai.BadRequestError:
            return
        raise AssertionError("2,049 texts are answered")

    def malformed():
        try:
            client.embeddings.create(model="sentences", input=[])
        except openai.BadRequestError:
            return
        raise AssertionError("no input is answered")

    for name, what in (("a string", one), ("strings", several), ("floats", floats), ("base64", base64), ("token ids", tokens), ("dimensions", dimensions), ("models", models), ("unknown model", unknown), ("no input", malformed), ("too long", too_long), ("an empty text", empty), ("2,048 texts", most)):
        report.attempt("embeddings", name, what)
report.write()
