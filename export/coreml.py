"""The layer graph as a Core ML ML program, written to disk so that the same graph gives the same bytes."""

import contextlib
import io
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from export.config import ExportConfig, Target
from export.errors import ExportError
from export.graph import Graph
from export.metadata import AUTHOR, DESCRIPTION, coreml_metadata, license_text
from export.mlpackage import write_package
from export.program import Op, Ref, Value, lower
from export.runtimes import coremltools, native_parts, quiet

_SHARED = 64  # elements


def write_coreml(graph: Graph, config: ExportConfig, path: Path) -> None:
    """Write the package directory `path`, which must not exist: the same graph and config give the same bytes.

    Raises ExportError if coremltools rejects the program, or cannot write here.
    """
    ct = coremltools()
    if not native_parts():
        raise ExportError(
            "coremltools is installed without its native part libmilstoragepython: no Core ML package can be written",
            expected="its wheel for Linux on x86-64 or for macOS",
            do="use a Python that it has a wheel for, or export the ONNX model alone: an output that ends in .onnx",
        )
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stderr(io.StringIO()),
        quiet(),
        warnings.catch_warnings(),
    ):
        # coremltools leaves its temporary folder to the garbage collector, and tells of it by a ResourceWarning.
        warnings.simplefilter("ignore", ResourceWarning)
        # Its serializer turns 0-d arrays of one element into numbers in the way that numpy is giving up.
        warnings.simplefilter("ignore", DeprecationWarning)
        built = Path(folder) / "built.mlpackage"
        try:
            model = ct.convert(
                _mil(ct, lower(graph, config.precision, config.storage), graph.side, config.target),
                convert_to="mlprogram",
                # Types stand in the program; no pass may change them, nor anything else.
                compute_precision=ct.precision.FLOAT32,
                pass_pipeline=ct.PassPipeline.EMPTY,
                minimum_deployment_target=getattr(ct.target, config.target),
                inputs=[ct.ImageType("image", (1, 1, graph.side, graph.side), color_layout=ct.colorlayout.GRAYSCALE)],
                classifier_config=ct.ClassifierConfig(list(graph.labels)),
                skip_model_load=True,
                package_dir=str(built),
            )
        except (ValueError, TypeError, RuntimeError) as error:
            raise ExportError(f"coremltools cannot write this graph: {str(error).splitlines()[0]}") from error
        spec = model.get_spec()
        _describe(spec, graph, config)
        write_package(path, spec, Path(model.weights_dir) / "weight.bin")


def _mil(ct: Any, ops: tuple[Op, ...], side: int, target: Target) -> Any:
    from coremltools.converters.mil import Builder

    def body(image: Any) -> Any:
        values = {"image": image}
        shared: dict[tuple[str, bytes], Any] = {}

        def value(operand: Value) -> Any:
            if isinstance(operand, Ref):
                return values[operand.name]
            if isinstance(operand, tuple):
                return [values[ref.name] for ref in operand]
            if not isinstance(operand, np.ndarray):
                return operand
            if operand.size < _SHARED or operand.dtype.kind != "f":
                return operand[()]
            # Some constants occur twice (the filter's edges, positions); the file need not hold them twice.
            key = (f"{operand.dtype} {operand.shape}", operand.tobytes())
            if key not in shared:
                shared[key] = Builder.const(val=operand, name=f"constant_{len(shared)}")
            return shared[key]

        for op in ops:
            inputs = {key: value(operand) for key, operand in op.inputs.items()}
            values[op.name] = getattr(Builder, op.type)(name=op.name, **inputs)
        return values["probabilities"]

    spec = Builder.TensorSpec(shape=(1, 1, side, side))
    # coremltools numbers its constants from here on, and forgets the numbers only where a program comes to its end.
    Builder.name_count.clear()
    return Builder.program(input_specs=[spec], opset_version=getattr(ct.target, target))(body)


def _describe(spec: Any, graph: Graph, config: ExportConfig) -> None:
    described = spec.description
    described.metadata.author = AUTHOR
    described.metadata.license = license_text(graph)
    described.metadata.shortDescription = DESCRIPTION["model"]
    described.metadata.versionString = graph.about.get("version", "")
    for feature in (*described.input, *described.output):
        feature.shortDescription = DESCRIPTION[feature.name].format(side=graph.side)
    # Which day it was converted would make every export another one.
    del described.metadata.userDefined["com.github.apple.coremltools.conversion_date"]
    for key, text in sorted(coreml_metadata(graph, config).items()):
        described.metadata.userDefined[key] = text
