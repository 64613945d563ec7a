"""Training that begins with trained weights: nothing that the network knew is lost before the first step."""

import dataclasses
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from export.card import model_card
from export.config import ExportConfig
from export.from_run import graph_from_network, graph_from_run, open_start, start_of_graph
from fastetl import FastetlError, Preprocessing
from fastetl.data.charset import HIRAGANA, Charset
from model import ModelError, TrainConfig, open_run
from model.network import NETWORKS, Network, NetworkConfig
from model.start import initial_weights, start_of
from model.step import make_forward, weights_of, with_weights
from model.training import new_run, resumed_run, train
from tests.export_data import TINY, random_network
from tests.model_data import CONFIG, finished_run, tiny

BOUND = 1e-4  # largest difference of a logit, in parts of the largest: sums are added up in another order
KNOWN = Charset("known", HIRAGANA.characters[:6])
WANTED = Charset("wanted", ("★", *HIRAGANA.characters[9:2:-1]))
PICTURES = jnp.asarray(tiny(4).images)


def logits(network: Network) -> np.ndarray:
    return np.asarray(make_forward(network)(weights_of(network), PICTURES))


def shared(logits: np.ndarray, expected: np.ndarray, wanted: Charset, known: Charset) -> None:
    """The logits of the characters that both have are equal, and there are some."""
    both = [c for c in wanted.characters if c in known.class_of]
    assert len(both) >= 3
    mine, theirs = ([charset.class_of[c] for c in both] for charset in (wanted, known))
    assert abs(logits[:, mine] - expected[:, theirs]).max() < BOUND * abs(expected).max()


@pytest.mark.parametrize("config", [TINY, NETWORKS["default"], NETWORKS["small"]])
def test_a_folded_network_begins_as_it_was(config: NetworkConfig) -> None:
    spec = Preprocessing(readings=1)
    source = random_network(config, spec=spec)
    start = start_of_graph(graph_from_network(source, KNOWN, side=32, temperature=1), "folded")
    if config is not TINY:
        assert start.architecture is config
    network = Network(start.architecture, spec, len(WANTED), rngs=nnx.Rngs(1))
    started = with_weights(network, initial_weights(start, network, WANTED, np.asarray(PICTURES[:16])))
    shared(logits(started), logits(source), WANTED, KNOWN)
    new = WANTED.class_of["★"]
    np.testing.assert_array_equal(started.blocks[-1].kernel[..., new], network.blocks[-1].kernel[..., new])  # type: ignore[union-attr]


def test_norms_have_the_statistics_of_what_is_trained_on() -> None:
    """So that in training, where a norm takes its batch's, the network reads as before too."""
    source = random_network(spec=Preprocessing(readings=1))
    start = start_of_graph(graph_from_network(source, KNOWN, side=32, temperature=1), "folded")
    network = Network(start.architecture, source.preprocessing, len(KNOWN), rngs=nnx.Rngs(1))
    started = with_weights(network, initial_weights(start, network, KNOWN, np.asarray(PICTURES)))
    trained = np.asarray(started(PICTURES, nnx.Rngs(0)()))
    assert abs(trained - logits(source)).max() < 1e-3 * abs(trained).max()


def test_a_run_goes_on_from_another(tmp_path: Path) -> None:
    source = open_run(finished_run()[0])
    config = dataclasses.replace(CONFIG, epochs=1, network="default")
    run = train(tiny(seed=3), tmp_path / "run", config, start=source.path)
    assert run.network_config == source.network_config
    assert run.start == str(open_start(source.path))
    assert run.history[0].loss < 0.8 * source.history[0].loss  # which began with random weights


def test_a_packages_prior_is_not_trained_and_holds_again_for_the_run() -> None:
    """It was in the weights, so each temperature multiplied it, and nothing told of it."""
    config = ExportConfig(prior=("hiragana=12",))
    graph = graph_from_network(random_network(), KNOWN, side=32, temperature=1)
    start = start_of_graph(graph.with_prior(config.prior), "package")
    np.testing.assert_allclose(start.layers[-1].weights["bias"], graph.layers[-1].weights["bias"], atol=1e-6)
    run = open_run(finished_run()[0])
    start = dataclasses.replace(start_of(run), prior=start.prior)
    begun = new_run(Path("run"), [(tiny(), 1.0)], TrainConfig(), start, "")
    run = dataclasses.replace(run, prior=begun.prior, start=begun.start)
    graph, _ = graph_from_run(run, ExportConfig())
    assert begun.prior == graph.about["prior"] == "hiragana=12"
    assert "It began with the weights of" in model_card(run, graph, ExportConfig(), [])


def test_rates_are_a_tenth_if_no_character_is_new() -> None:
    source, data = open_start(finished_run()[0]), [(tiny(), 1.0)]
    cases: list[tuple[dict[str, Any], int, Any]] = [({}, 8, (4e-4, 0.01)), ({"learning_rate": 2e-3}, 8, (2e-3, 0.01))]
    for options, known, rates in [*cases, ({}, 7, (4e-3, 0.1))]:
        start = dataclasses.replace(source, charset=Charset("known", HIRAGANA.characters[:known]))
        config = TrainConfig(**options)
        run = new_run(Path("run"), data, config, start, "")
        assert (run.config.learning_rate, run.config.muon_learning_rate) == rates
        assert resumed_run(run, data, config) is run
    once = {"optimizer": "muon", "framing": None}  # what was stored then
    assert TrainConfig.from_dict(dataclasses.asdict(TrainConfig()) | once) == TrainConfig()


def test_what_does_not_fit_to_the_source_is_named(tmp_path: Path) -> None:
    source, path = open_run(finished_run()[0]), tmp_path / "run"
    with pytest.raises(FastetlError, match="tiny0: pictures of another size.*; expected 64 × 64; found 32. Build"):
        train(tiny(), path, CONFIG, start="pretrained")
    with pytest.raises(FastetlError, match="`network` is decided by .*run, with whose weights training begins. Leave"):
        train(tiny(), path, CONFIG, start=source)
    with pytest.raises(FastetlError, match="`frame` is decided by"):
        train(tiny(), path, dataclasses.replace(CONFIG, network="default", frame=32), start=source)
    with pytest.raises(ModelError, match="nothing to validate on"):
        train(tiny(1, seed=9), path, dataclasses.replace(CONFIG, network="default", batch_size=8), start=source)
    with pytest.raises(ModelError, match="Leave out `start` or `resume`"):
        train(tiny(), path, start=source, resume=True)
    assert not list(tmp_path.iterdir())
