"""The layer graph and its operations against Flax, against fastetl's own preprocessing, and against coremltools."""

import numpy as np
import pytest
from flax import nnx

from export.errors import ExportError
from export.lowering import READING_PREFIXES, lower
from export.onnx_export import evaluate_ops
from export.operations import Operation, Tensor, expand, in_8_bits
from export.reference import is_blank, pictures, resized
from fastetl.data.preprocessing import Preprocessing, frames, resize
from fastetl.kernels.triangle import triangle
from model import network as m
from tests.export_data import CHARSET, ODD, TINY, flax_logits, graph_logits, graph_of, random_network

STRIDED = m.NetworkConfig("strided", (m.Conv(6, 5, 2), m.Norm(), m.Relu(), m.Conv(4, 2), m.Norm(), m.Flatten()))
LOW_RANK = m.NetworkConfig("low rank", (*TINY.layers[:-1], m.Dense(4)))
"""Two dense layers without an activation between: the second is the one that the charset's size adds."""


@pytest.mark.parametrize("config", [TINY, STRIDED, LOW_RANK, ODD], ids=lambda c: c.name)
def test_graph_is_flax(config: m.NetworkConfig) -> None:
    network = random_network(config)
    images, _ = pictures(32, 3)
    logits = graph_logits(graph_of(network, side=32, temperature=2.5), images)[:, :-1]
    assert np.abs(logits * 2.5 - flax_logits(network, 1)(images)).max() < 1e-4


@pytest.mark.parametrize(
    "spec",
    [
        Preprocessing(),
        Preprocessing(size=48, frame=24, scale=0.2),
        Preprocessing(size=64, surroundings=False),
        Preprocessing(readings=1),
    ],
)
def test_preprocessing_is_the_readable_twin(spec: Preprocessing) -> None:
    graph = graph_of(random_network(TINY, spec=spec), side=spec.size)
    images, kinds = pictures(spec.size, 1)
    names = [f"{prefix}framed" for prefix in READING_PREFIXES[: len(spec.stretches)]]
    ops = lower(graph, "float16")
    real = [kind in ("strokes", "inverted") for kind in kinds]
    for picture, stretch in zip(evaluate_ops(ops, images, names, "float16").values(), spec.stretches, strict=True):
        off = np.abs(picture - frames(images, spec, stretch)[0].transpose(0, 3, 1, 2)).max((1, 2, 3))
        assert off[real].max() < 1e-5


def test_a_resize_is_exact_and_the_model_resizes_alike() -> None:
    rng = np.random.default_rng(0)
    for shape, size in (((40, 40), 32), ((128, 128), 100), ((33, 7), 16), ((9, 300), 64), ((251, 253), 126)):
        board = (np.indices(shape).sum(0) % 2 * 255).astype(np.uint8)  # float32 rounds sums of the largest one down
        rows, columns = (triangle(side, size).astype(int) for side in shape)
        whole = np.outer(rows.sum(1), columns.sum(1))
        for picture in (board, rng.integers(0, 256, shape, np.uint8)):
            expected = (2 * rows @ picture @ columns.T + whole) // (2 * whole)
            np.testing.assert_array_equal(resize(picture[None], size)[0], expected)
    images = rng.integers(0, 256, (30, 128, 128), np.uint8)
    for size in (32, 48, 64, *range(72, 128, 8), 28, 40, 100):
        brighter = resized(images, size).astype(int) - resize(images, size)
        assert brighter.min() == 0 == brighter.max() * (size not in (28, 40, 100))
        assert brighter.mean() < 2e-4


def test_absent_ink_is_no_character() -> None:
    graph = graph_of(random_network())
    images, kinds = pictures(128, 0)
    none = graph_logits(graph, images).argmax(1) == len(CHARSET)
    assert none.tolist() == is_blank(images, graph.preprocessing).tolist()
    assert none[[kind == "blank" for kind in kinds]].all()
    assert not none[[kind in ("strokes", "inverted", "faint") for kind in kinds]].any()
    certain = graph_of(random_network(), temperature=0.01)  # with logits of hundreds
    assert ((graph_logits(certain, images).argmax(1) == len(CHARSET)) == none).all()
    strokes = images[[kind == "strokes" for kind in kinds]]  # whose polarity does not matter
    np.testing.assert_allclose(graph_logits(graph, strokes), graph_logits(graph, 255 - strokes), atol=0.01)


def test_a_convolution_of_zeros_and_ones_may_do_more_than_choose_channels() -> None:
    def convolution(name: str, x: str, weight: list[list[int]], bias: list[int]) -> Operation:
        arrays = {"weight": np.array(weight, np.float32)[:, :, None, None], "bias": np.array(bias, np.float32)}
        plain = {"pad": np.zeros(4, int), "strides": np.ones(2, int)}
        return Operation("conv", name, "fp32", {"x": Tensor(x), "pad_type": "custom", **arrays, **plain})

    ops = convolution("a", "image", [[1], [1]], [0, 5]), convolution("b", "a", [[1, 1], [1, 0]], [0, 0])
    answers = evaluate_ops(ops, np.full((1, 4, 4), 3, np.uint8), ("b",))
    assert answers["b"][0, :, 0, 0].tolist() == [3 + 8, 3]


def test_float16_is_rounded_to_after_each_operation() -> None:
    op = Operation("add", "r", "fp16", {"x": Tensor("image"), "y": np.array([0.1], np.float32)})
    images = np.full((1, 4, 4), 3, np.uint8)
    assert (evaluate_ops((op,), images, ("r",))["r"] == np.float32(3.1)).all()
    assert (evaluate_ops((op,), images, ("r",), "float16")["r"] == np.float16(3.1)).all()


def test_operations_that_do_not_fit_are_named() -> None:
    images, x, row = np.zeros((1, 4, 4), np.uint8), {"x": Tensor("image")}, np.zeros(3, np.float32)
    for op, words in (
        (Operation("erf", "r", "fp32", x), "'erf' .r."),
        (Operation("conv", "r", "fp32", {**x, "pad_type": "same"}), "'same' .r."),
        (Operation("relu", "r", "fp32", {"x": Tensor("nobody")}), "onnxruntime rejects"),
        (Operation("add", "r", "fp32", {**x, "y": row}), "onnxruntime rejects"),
    ):
        with pytest.raises(ExportError, match=words):
            evaluate_ops((op,), images, ("r",))


def test_weights_of_all_input_channels_are_about_as_large() -> None:
    """They share the steps of 8 bits: small ones would be lost beside large ones."""
    network = m.Network(TINY, Preprocessing(), len(CHARSET), rngs=nnx.Rngs(0))
    second = [block for block in network.blocks if isinstance(block, nnx.Conv)][1]
    second.kernel[...] *= 4.0 ** np.arange(8)[:, None]
    convolutions = [layer for layer in graph_of(network).layers if layer.kind == "Conv"]
    largest = np.abs(convolutions[1].weights["weight"]).max((0, 2, 3))
    assert largest.max() <= 2 * largest.min()


@pytest.mark.parametrize("real", ["fp16", "fp32"])
def test_weights_in_8_bits_expand_to_nearly_the_same_and_as_coremltools_does(real: str) -> None:
    from export.runtimes import coremltools

    coremltools()
    from coremltools.converters.mil.mil.ops.defs.iOS16 import constexpr_ops

    array = np.random.default_rng(0).normal(size=(32, 8, 3, 3)).astype(np.float32)
    inputs = in_8_bits(array, real)
    back = expand(inputs)
    assert (back.shape, str(back.dtype)) == (array.shape, {"fp16": "float16", "fp32": "float32"}[real])
    assert np.sqrt(np.mean((back - array) ** 2)) < 0.003 * np.abs(array).max()
    theirs = constexpr_ops.constexpr_affine_dequantize.decompress(**inputs)
    np.testing.assert_array_equal(np.asarray(theirs, back.dtype), back)
