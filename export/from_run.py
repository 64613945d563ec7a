"""Converts a trained network to a layer graph, with batch norm folded and channels first, and back."""

import dataclasses
import json
from collections.abc import Mapping
from os import fspath
from typing import assert_never, cast

import jax
import numpy as np

from export import graph as exported
from export.config import ExportConfig
from export.metadata import split_record_of
from export.package_files import REFERENCE, file_of, is_package
from fastetl.arrays import Bytes, Float32s, Reals
from fastetl.data.charset import Charset
from fastetl.data.preprocessing import PLACE_SIZE
from fastetl.errors import StrPath
from fastetl.ink import SIDE
from model import network as trained
from model.run import RUN_OR_PACKAGE, Run, as_run
from model.start import InitialNetwork, start_of


def graph_from_run(run: Run, config: ExportConfig) -> tuple[exported.Graph, exported.Logits]:
    """The layer graph of a run's best weights, with its temperature, threshold and origin; and the trained network."""
    graph = graph_from_network(run.network(), run.charset, temperature=run.temperature)
    about = {
        "weights_sha256": graph.weights_sha256(),
        "network": run.network_config.name,
        "terms": config.license,
        "trained_on": ", ".join(d.name for d in run.data),
        "trained": json.dumps(run.split_record.as_dict(), sort_keys=True),
        "trained_with": json.dumps(run.versions, sort_keys=True),
    }
    graph = dataclasses.replace(graph, about=about, threshold=run.threshold)
    graph = graph.with_prior(config.prior or run.prior.split())

    def logits(pictures: Bytes) -> Float32s:
        with jax.default_matmul_precision("highest"):  # of float32 on a GPU, too
            return np.asarray(run.predict(pictures) + graph.prior_logits, np.float32)

    return graph, logits


def graph_from_network(
    network: trained.Network, charset: Charset, *, side: int = SIDE, temperature: float = 1.0
) -> exported.Graph:
    """The layer graph of `network` as it evaluates, for pictures `side` × `side`.

    Each convolution is followed by its norm, as in all of `NETWORKS`. Weights are folded in float64 and rounded once.
    temperature: over 0; the logits are divided by it.
    """
    trained_layers = list(network.layers())
    specs = [layer.spec for layer in trained_layers]
    dense = next(k for k, spec in enumerate(specs) if isinstance(spec, trained.Dense))  # the first one
    # It takes the flattened picture, whose channels are the last convolution's features, and then what `Place` appends.
    inputs = len(trained_layers[dense].weights["kernel"]) - PLACE_SIZE * specs[:dense].count(trained.Place())
    *_, channels = (spec.features for spec in specs[:dense] if isinstance(spec, trained.Conv))
    layers: list[exported.GraphLayer] = []
    for number, (spec, layer) in enumerate(zip(specs, trained_layers, strict=True)):
        kind, name = type(spec).__name__, f"{type(spec).__name__.lower()}_{number}"
        weights: Mapping[str, Float32s] = {}
        options: dict[str, int | tuple[int, ...]] = {}
        match spec:
            case trained.Conv():
                weights = _fold(layer, trained_layers[number + 1].weights)
                options = {"stride": spec.stride, "pads": (spec.pad,) * 4}
            case trained.Norm():
                continue  # folded into the convolution before it
            case trained.MaxPool():
                options = {"size": spec.size}
            case trained.Flatten():
                options = {"features": inputs}
            case trained.Dense():
                divisor = temperature if layer is trained_layers[-1] else 1.0
                kernel, bias = (layer.weights[key].astype(np.float64) / divisor for key in ("kernel", "bias"))
                rows = _exchange(kernel, inputs // channels, inputs) if number == dense else kernel
                weights = {"weight": np.ascontiguousarray(rows.T, np.float32), "bias": bias.astype(np.float32)}
        layers.append(exported.GraphLayer(cast(exported.LayerKind, kind), name, weights, options))
    return exported.Graph(side, network.preprocessing, _balance(layers), charset, temperature)


def _exchange(kernel: Reals, outer_count: int, inputs: int) -> Reals:
    """The rows of a dense layer's kernel, reordered for a picture flattened the other way.

    Flax flattens (rows, columns, channels), the layer graph (channels, rows, columns). outer_count: how many channels
    there are if `kernel` has them first, else how many pixels. inputs: how many rows belong to the picture; those of
    `Place` come after them, and stay.
    """
    picture = kernel[:inputs].reshape(outer_count, inputs // outer_count, -1).swapaxes(0, 1).reshape(inputs, -1)
    return np.concatenate([picture, kernel[inputs:]])


def _balance(layers: list[exported.GraphLayer]) -> tuple[exported.GraphLayer, ...]:
    """The network with a second convolution whose weights are about as large for each of its input channels.

    Its weights are multiplied by powers of two, by which the first convolution's outputs are divided: this is exact.
    In 8 bits the weights of an output channel share a step, in which the weights of an input channel with large values
    would be lost (Nagel et al., Data-free quantization through weight equalization, 2019).
    """
    indices = [k for k, layer in enumerate(layers) if layer.kind == "Conv"][:2]
    first, second = (layers[k].weights for k in indices)
    maxima = np.maximum(np.abs(second["weight"]).max((0, 2, 3)), np.float32(1e-6))
    factor = np.exp2(np.rint(np.log2(maxima.mean() / maxima))).astype(np.float32)
    quotient = {"weight": first["weight"] / factor[:, None, None, None], "bias": first["bias"] / factor}
    product = {**second, "weight": second["weight"] * factor[None, :, None, None]}
    balanced_layers = list(layers)
    for index, weights in zip(indices, (quotient, product), strict=True):
        balanced_layers[index] = dataclasses.replace(layers[index], weights=weights)
    return tuple(balanced_layers)


def _fold(layer: trained.Layer, norm: Mapping[str, Float32s]) -> dict[str, Float32s]:
    """The weights of a convolution with the batch norm that follows it folded in."""
    values = {name: array.astype(np.float64) for name, array in norm.items()}
    gain = values["scale"] / np.sqrt(values["var"] + trained.NORM_EPSILON)
    kernel = layer.weights["kernel"].astype(np.float64) * gain
    bias = values["bias"] - values["mean"] * gain
    weight = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1).astype(np.float32))
    return {"weight": weight, "bias": bias.astype(np.float32)}


def open_start(path: StrPath) -> InitialNetwork:
    """Open the network of a run or a package ("pretrained": a bundled one) for `model.train(…, start=…)`.

    A package's logits are divided by the temperature that was fitted. Raises FastetlError if it is missing or damaged.
    """
    if not is_package(path):
        return start_of(as_run("path", path, RUN_OR_PACKAGE))
    from export.reference import read_reference  # which needs onnx, and a run does not

    return start_of_graph(read_reference(file_of(path, REFERENCE)).graph, fspath(path))


def start_of_graph(graph: exported.Graph, name: str) -> InitialNetwork:
    """The network of a layer graph, to begin a training with. Its prior is taken off: training would change it."""
    prior, graph = " ".join(graph.prior), graph.with_prior(())
    channels, inputs = graph.preprocessing.channels, 0
    layers: list[trained.Layer] = []
    for layer in graph.layers:
        match layer.kind:
            case "Conv":
                weight, bias = layer.weights["weight"], layer.weights["bias"]
                channels, _, kernel, _ = weight.shape
                conv = trained.Conv(channels, kernel, layer.options["stride"])
                layers.append(trained.Layer(conv, {"kernel": np.ascontiguousarray(weight.transpose(2, 3, 1, 0))}))
                # The norm that was folded into it is added again such that it changes nothing.
                scale = np.full_like(bias, np.sqrt(1 + trained.NORM_EPSILON))
                statistics = {"mean": np.zeros_like(bias), "var": np.ones_like(bias)}
                layers.append(trained.Layer(trained.Norm(), {"scale": scale, "bias": bias, **statistics}))
            case "Relu" | "Place":
                layers.append(trained.Layer(trained.Relu() if layer.kind == "Relu" else trained.Place()))
            case "MaxPool":
                layers.append(trained.Layer(trained.MaxPool(layer.options["size"])))
            case "Flatten":
                layers.append(trained.Layer(trained.Flatten()))
                inputs = layer.options["features"]
            case "Dense":
                weight, bias = layer.weights["weight"], layer.weights["bias"]
                weight = np.ascontiguousarray(_exchange(weight.T, channels, inputs) if inputs else weight.T)
                layers.append(trained.Layer(trained.Dense(len(bias)), {"kernel": weight, "bias": bias}))
                inputs = 0
            case _:
                assert_never(layer.kind)
    record = split_record_of(graph.about)
    return InitialNetwork(name, graph.charset, graph.preprocessing, tuple(layers), split_record=record, prior=prior)
