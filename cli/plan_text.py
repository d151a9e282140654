"""A plan as people read it in a terminal: a heading, one line for each question, then what stands against it."""

from collections.abc import Iterator

from presets.plan.document import PlanReport, TrainingShape

LABEL: int = 11


def text_of(plan: PlanReport) -> str:
    """All lines of one plan; ends with an empty line, so that several can follow each other."""
    verdict = "cannot be carried out" if plan.errors else "can be carried out"
    lines = [f"Workspace {plan.namespace}/{plan.name} {verdict}", *_numbers(plan), *_lists(plan)]
    return "\n".join(lines) + "\n"


def _numbers(plan: PlanReport) -> Iterator[str]:
    if plan.model:
        served = f", served as {plan.served_model_name}" if plan.served_model_name else ""
        weights = "weights of unknown size" if plan.weights_gib is None else f"{plan.weights_gib:.1f} GiB of weights"
        yield _line("model", f"{plan.model}, {weights}{served}")
    if plan.nodes is not None and (plan.gpu_model or (plan.kind == "template" and plan.instance_type)):
        yield _line("nodes", f"{plan.nodes} x {plan.instance_type or 'a node of yours'}{_gpus(plan)}{_replicas(plan)}")
    if plan.tensor_parallel is not None:
        pipeline, data = plan.pipeline_parallel or 1, plan.data_parallel or 1
        layout = f"tensor {plan.tensor_parallel} x pipeline {pipeline} x data {data}"
        yield _line("layout", layout)
    if plan.max_model_len is not None:
        yield _line("context", f"{plan.max_model_len} tokens{_sequences(plan)}, KV cache in {_kv(plan)}")
    if plan.training:
        yield from _training(plan, plan.training)
    yield from _memory(plan)
    if plan.disk_gib is not None:
        yield _line("disk", f"{plan.disk_gib} GiB on each node")
    if plan.volume_gib is not None:
        yield _line("volume", f"{plan.volume_gib} GiB for data, checkpoints and adapter")
    yield from _money_and_time(plan)


def _gpus(plan: PlanReport) -> str:
    if not plan.gpu_model:
        return ""
    if plan.gpus_per_node == 0:
        return f" with {plan.gpu_model}, which no pod asks for"
    return f" with {plan.gpus_per_node or '?'} x {plan.gpu_model}"


def _replicas(plan: PlanReport) -> str:
    return f" ({plan.replicas} replicas)" if plan.replicas > 1 else ""


def _sequences(plan: PlanReport) -> str:
    held = plan.sequences_at_full_length
    return f", {held:g} such sequences at once" if held else ""


def _kv(plan: PlanReport) -> str:
    return "the model's type" if plan.kv_cache_dtype == "auto" else plan.kv_cache_dtype


def _training(plan: PlanReport, shape: TrainingShape) -> Iterator[str]:
    packed = f", weights packed into {shape.packed_bits} bits" if shape.packed_bits else ""
    copies = f"; a copy of the model on each of {plan.data_parallel} GPUs" if (plan.data_parallel or 1) > 1 else ""
    yield _line("training", f"{plan.method}{packed}{copies}")
    millions = shape.trained_parameters / 1e6
    yield _line("adapter", f"{millions:.1f} million parameters: rank {shape.rank} on {', '.join(shape.modules)}")
    more = f", {shape.accumulation} times before the weights move" if shape.accumulation > 1 else ""
    yield _line("batch", f"{shape.batch_size} x {shape.max_length} tokens at once on each GPU{more}")


def _memory(plan: PlanReport) -> Iterator[str]:
    parts = _parts(plan)
    if parts:
        yield _line("memory", "GiB on each GPU")
    yield from (f"  {'':{LABEL}} {name:<18}{gib:>8.2f}" for name, gib in parts.items())


def _parts(plan: PlanReport) -> dict[str, float]:
    """GiB by the words of this page; empty where nothing is sized."""
    if training := plan.training_gib:
        return {
            "weights": training.weights,
            "adapter, optimizer": training.adapter,
            "activations": training.activations,
            "overhead": training.overhead,
            "free": training.free,
            "usable": training.usable,
        }
    if memory := plan.memory_per_gpu_gib:
        return {
            "weights": memory.weights,
            "KV cache": memory.kv_cache,
            "activations": memory.activations,
            "CUDA graphs": memory.cuda_graphs,
            "overhead": memory.overhead,
            "not given to vLLM": memory.not_given,
            "usable": memory.usable,
        }
    return {}


def _money_and_time(plan: PlanReport) -> Iterator[str]:
    if plan.price_per_hour is not None:
        until = plan.price_until_ready
        event = "its first step" if plan.training else "it is ready"
        ready = f", ${until.least:.2f} to ${until.most:.2f} until {event}" if until else ""
        yield _line("price", f"${plan.price_per_hour:.2f} per hour in {plan.region}{ready} (list price)")
    elif plan.instance_type and plan.provider != "byo":
        yield _line("price", f"not known in {plan.region}")
    if plan.minutes_until_ready and plan.model:
        ready_in = plan.minutes_until_ready
        label, after = ("first step", "after ") if plan.training else ("ready in", "")
        yield _line(label, f"{after}{ready_in.least:g} to {ready_in.most:g} minutes")
        for step in plan.steps:
            beside = " (concurrently)" if step.beside else ""
            yield f"  {'':{LABEL}} {step.step:<16}{step.least:>6.1f} to {step.most:>5.1f}{beside}"


def _lists(plan: PlanReport) -> Iterator[str]:
    yield from _list("purchase options, in this order", plan.ways_to_get_nodes)
    yield from _list("checked before anything is bought", plan.preflight)
    yield from _list("released when it fails", plan.released_on_failure)
    yield from _list("kept until the Workspace is deleted", plan.kept_on_failure)
    yield from _list("warnings", [str(warning) for warning in plan.warnings])
    yield from _list("errors", [f"{error} [{error.reason}]" for error in plan.errors])


def _list(title: str, lines: list[str] | tuple[str, ...]) -> Iterator[str]:
    if lines:
        yield f"  {title}:"
        yield from (f"    - {line}" for line in lines)


def _line(label: str, text: str) -> str:
    return f"  {label:<{LABEL}} {text}"
