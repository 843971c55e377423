"""Embeddings with the clients that people have: openai's, and huggingface_hub's, which speaks to text-embeddings-inference.

Needs, beside requirements.txt: openai, tokenizers and huggingface_hub (skipped where they are absent).
"""

import math

import numpy as np
import onnxruntime
import pytest
from gateway import ROOT, running

openai = pytest.importorskip("openai")
tokenizers = pytest.importorskip("tokenizers")

MODELS = ROOT / "deploy/examples/texts/models"
TEXTS = ["x", "How do I roll back a version?", "Ünïcödé, 漢字 and 😀", "batch " * 100, *(f"text {i} of many" * (1 + i % 9) for i in range(60))]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    import shutil

    folder = tmp_path_factory.mktemp("texts") / "models"
    shutil.copytree(MODELS, folder)
    with running(folder, "--max-client-batch-size", "64") as g:
        g.wait_live("/v2/health/ready")
        yield g


@pytest.fixture(scope="module")
def reference():
    tokenizer = tokenizers.Tokenizer.from_file(str(MODELS / "sentences/tokenizer.json"))
    session = onnxruntime.InferenceSession(str(MODELS / "sentences/1/model.onnx"))

    def vector(text):
        e = tokenizer.encode(text)
        feeds = {"input_ids": e.ids, "attention_mask": e.attention_mask, "token_type_ids": e.type_ids}
        rows = session.run(None, {name: np.array([ids], np.int64) for name, ids in feeds.items()})[0][0]
        mean = rows.mean(0)
        return mean / np.linalg.norm(mean), len(e.ids)

    return [vector(text) for text in TEXTS]


@pytest.fixture
def client(served):
    return openai.OpenAI(base_url=f"http://{served.http}/v1", api_key="none", max_retries=0)


@pytest.mark.parametrize("form", [{}, {"encoding_format": "float"}])
def test_openai_vectors(client, reference, form):
    answer = client.embeddings.create(model="sentences", input=TEXTS, **form)
    assert answer.usage.prompt_tokens == sum(tokens for _, tokens in reference)
    for one, (vector, _) in zip(answer.data, reference, strict=True):
        np.testing.assert_allclose(one.embedding, vector, atol=1e-5)


def test_openai_dimensions_models_and_errors(client):
    short = client.embeddings.create(model="sentences", input="a text", dimensions=12).data[0].embedding
    assert len(short) == 12 and math.isclose(np.linalg.norm(short), 1, abs_tol=1e-6)
    assert "sentences" in [model.id for model in client.models.list()]
    assert client.models.retrieve("sentences").owned_by == "penstock"
    with pytest.raises(openai.NotFoundError) as absent:
        client.embeddings.create(model="none-such", input="a")
    assert absent.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as long:
        client.embeddings.create(model="sentences", input="batch " * 1000)
    assert "at most 256 tokens" in long.value.message
    with pytest.raises(openai.APIStatusError) as chat:
        client.chat.completions.create(model="sentences", messages=[{"role": "user", "content": "hello"}])
    assert chat.value.status_code == 501


async def test_openai_many_at_once(served, reference):
    import asyncio

    async with openai.AsyncOpenAI(base_url=f"http://{served.http}/v1", api_key="none") as client:
        answers = await asyncio.gather(*(client.embeddings.create(model="sentences", input=text) for text in TEXTS))
    for answer, (vector, _) in zip(answers, reference, strict=True):
        np.testing.assert_allclose(answer.data[0].embedding, vector, atol=1e-5)


def test_huggingface_hub(served, reference):
    hub = pytest.importorskip("huggingface_hub")
    client = hub.InferenceClient(model=f"http://{served.http}")
    np.testing.assert_allclose(client.feature_extraction(TEXTS[1])[0], reference[1][0], atol=1e-5)
