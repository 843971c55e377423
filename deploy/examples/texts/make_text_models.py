"""Makes the example models of texts: `sentences` (a vector a text) and `relevance` (a score a pair of texts).

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python make_text_models.py

The corpus is what this repository says of itself: its Markdown pages, a line a text. A WordPiece tokenizer is trained on it, and
vectors of its tokens from how often they stand near each other (positive pointwise mutual information, the strongest directions of
it by a singular value decomposition, weighted by how rare a token is). `sentences` puts two layers of a transformer over them, with
small random weights, and gives a row a token, to be pooled by whoever serves it; `relevance` compares the mean of the query's
vectors with that of the text's. Small models that know little, but what they know is real: texts about the same things are near.
The trainer breaks ties by chance, so a tokenizer that is there is kept (remove it to train anew); with it the same corpus gives the
same models on the same versions of the packages.
"""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SEED, VOCABULARY, HIDDEN, HEADS, LAYERS, WINDOW, POSITIONS = 7, 1500, 48, 4, 2, 8, 256
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def corpus():
    pages = [page for folder in ("src", "deploy", "native-bench") for page in sorted((ROOT / folder).rglob("*.md"))]
    lines = [line.strip() for page in [ROOT / "README.md", *pages] for line in page.read_text("utf-8").splitlines()]
    return [line for line in lines if len(line) > 20]


def tokenizer_of(lines):
    there = HERE / "models" / "sentences" / "tokenizer.json"
    if there.exists():
        return Tokenizer.from_file(str(there))
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def token_vectors(tokenizer, lines):
    size = tokenizer.get_vocab_size()
    together, seen = np.zeros((size, size)), np.zeros(size)
    for line in lines:
        ids = tokenizer.encode(line, add_special_tokens=False).ids
        for at, one in enumerate(ids):
            seen[one] += 1
            for other in ids[at + 1 : at + 1 + WINDOW]:
                together[one, other] += 1
                together[other, one] += 1
    total = together.sum()
    expected = np.outer(together.sum(1), together.sum(0)) / total
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.nan_to_num(np.maximum(np.log(together / expected), 0), nan=0, posinf=0, neginf=0)
    left, values, _ = np.linalg.svd(information)
    vectors = left[:, :HIDDEN] * np.sqrt(values[:HIDDEN])
    vectors *= np.sign(vectors.sum(0, keepdims=True) + 1e-9)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    rarity = 1e-3 / (1e-3 + seen / seen.sum())
    rarity[: len(SPECIAL)] = 0.02
    return (vectors * rarity[:, None]).astype(np.float32)


class Graph:
    def __init__(self):
        self.nodes, self.weights, self.rng = [], [], np.random.default_rng(SEED)

    def const(self, value, dtype=np.float32):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def op(self, kind, *inputs, out=None, **attributes):
        name = out or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def dense(self, x, rows, columns, scale):
        return self.op("MatMul", x, self.const(self.rng.normal(0, scale / np.sqrt(rows), (rows, columns))))

    def save(self, name, inputs, output, config, tokenizer):
        ints = [helper.make_tensor_value_info(one, TensorProto.INT64, ["batch", "length"]) for one in inputs]
        graph = helper.make_graph(self.nodes, name, ints, [output], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10, producer_name="penstock-examples")
        onnx.checker.check_model(model, full_check=True)
        folder = HERE / "models" / name
        (folder / "1").mkdir(parents=True, exist_ok=True)
        (folder / "1" / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
        (folder / "config.yaml").write_text(config)
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)


def sentences(tokenizer, vectors):
    """`last_hidden_state` [batch, length, hidden] of `input_ids`, `attention_mask` and `token_type_ids` [batch, length]."""
    g = Graph()
    kept = g.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    hide = g.op("Unsqueeze", g.op("Mul", g.op("Sub", kept, g.const(1.0)), g.const(1e4)), g.const([1, 2], np.int64))
    length = g.op("Gather", g.op("Shape", "input_ids"), g.const(1, np.int64))
    places = g.op("Range", g.const(0, np.int64), length, g.const(1, np.int64))
    positions = g.op("Gather", g.const(g.rng.normal(0, 0.01, (POSITIONS, HIDDEN))), places)
    types = g.op("Gather", g.const(g.rng.normal(0, 0.01, (2, HIDDEN))), "token_type_ids")
    x = g.op("Add", g.op("Add", g.op("Gather", g.const(vectors), "input_ids"), types), positions)
    size = HIDDEN // HEADS
    for layer in range(LAYERS):
        split = lambda y: g.op("Transpose", g.op("Reshape", y, g.const([0, 0, HEADS, size], np.int64)), perm=[0, 2, 1, 3])
        query, key, given = (split(g.dense(x, HIDDEN, HIDDEN, 1.0)) for _ in range(3))
        scores = g.op("Mul", g.op("MatMul", query, g.op("Transpose", key, perm=[0, 1, 3, 2])), g.const(1 / np.sqrt(size)))
        seen = g.op("MatMul", g.op("Softmax", g.op("Add", scores, hide), axis=-1), given)
        joined = g.op("Reshape", g.op("Transpose", seen, perm=[0, 2, 1, 3]), g.const([0, 0, HIDDEN], np.int64))
        x = g.op("Add", x, g.dense(joined, HIDDEN, HIDDEN, 0.2))
        wide = g.op("Relu", g.dense(x, HIDDEN, 2 * HIDDEN, 1.0))
        last = layer == LAYERS - 1
        x = g.op("Add", x, g.dense(wide, 2 * HIDDEN, HIDDEN, 0.2), out="last_hidden_state" if last else None)
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "length", HIDDEN])
    config = (
        "# A vector a text: the mean of its tokens' rows, of the length 1.\n"
        "max_batch_size: 16\n"
        "dynamic_batching: {}\n"
        "text:\n"
        f"  max_tokens: {POSITIONS}\n"
        "  pooling: mean\n"
        "  prompts: { query: 'search for: ' }\n"
        "parameters: { intra_op_thread_count: '1' }\n"
    )
    g.save("sentences", ["input_ids", "attention_mask", "token_type_ids"], output, config, tokenizer)


def relevance(tokenizer, vectors):
    """`logits` [batch, 1]: ten times the cosine of the means of both texts' vectors, less five."""
    g = Graph()
    rows = g.op("Gather", g.const(vectors), "input_ids")
    kept = g.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    second = g.op("Mul", kept, g.op("Cast", "token_type_ids", to=TensorProto.FLOAT))
    first = g.op("Sub", kept, second)

    def mean(weight):
        weighed = g.op("Mul", rows, g.op("Unsqueeze", weight, g.const([2], np.int64)))
        return g.op("LpNormalization", g.op("ReduceSum", weighed, g.const([1], np.int64), keepdims=0), axis=-1, p=2)

    near = g.op("ReduceSum", g.op("Mul", mean(first), mean(second)), g.const([1], np.int64), keepdims=1)
    g.op("Sub", g.op("Mul", near, g.const(10.0)), g.const(5.0), out="logits")
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1])
    config = (
        "# A score a pair of texts, a query and what may answer it.\n"
        "max_batch_size: 16\n"
        "dynamic_batching: {}\n"
        "text: { task: rerank, max_tokens: 512 }\n"
        "parameters: { intra_op_thread_count: '1' }\n"
    )
    g.save("relevance", ["input_ids", "attention_mask", "token_type_ids"], output, config, tokenizer)


if __name__ == "__main__":
    lines = corpus()
    tokenizer = tokenizer_of(lines)
    vectors = token_vectors(tokenizer, lines)
    sentences(tokenizer, vectors)
    relevance(tokenizer, vectors)
    print(f"{len(lines)} texts, {tokenizer.get_vocab_size()} tokens, vectors of {HIDDEN}")
