"""The engine of hybrids: their autoencoders are trained as any network is, then heads are fitted on the codes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from semiad.engines.base import Engine
from semiad.engines.classical import ClassicalEngine
from semiad.engines.context import EpochPoint, OnEpochs, Outcome, TrainingContext
from semiad.engines.encoders import EncoderStore, TrainedEncoder
from semiad.methods.ae import AE
from semiad.methods.hybrid import encoder_weights
from semiad.runs import Run


class HybridEngine(Engine):
    """Trains the autoencoders of all runs, but for those that are kept, and then fits the heads in processes.

    Steps and seconds of a run are those of its autoencoder and its head together, wherever the former came from.

    Args:
        networks: the engine that trains autoencoders.
        processes: that fit heads, at most; None for one a core.
    """

    name = "hybrid"

    def __init__(self, networks: Engine, processes: int | None = None) -> None:
        self.networks, self.heads = networks, ClassicalEngine(processes)

    def check(self, runs: Sequence[Run], context: TrainingContext) -> None:
        """Let the engine of the autoencoders check.

        Raises:
            InputError: it cannot train them.
        """
        self.networks.check([run.encoder for run in runs], context.of_encoders(runs[0]))

    def train(self, runs: Sequence[Run], context: TrainingContext, on_epochs: OnEpochs) -> Iterator[Outcome]:
        """Yield the outcome of each run as it ends."""
        encoders, reasons = self.train_encoders(runs, context, on_epochs)
        for run in runs:
            if (reason := reasons.get(run.encoder.key)) is not None:
                sentence = f"the autoencoder could not be trained: {reason}"
                yield Outcome(run, context.split(run), 0, 0, 0.0, self.name, 1, {}, sentence)
        ready = [run for run in runs if run.encoder.key in encoders]
        states = {run.key: encoders[run.encoder.key].state for run in ready}
        for outcome in self.heads.fit(ready, context, on_epochs, states):
            encoder = encoders[outcome.run.encoder.key]
            yield replace(
                outcome,
                engine=self.name,
                steps=encoder.steps,
                seconds=outcome.seconds + encoder.seconds,
                pack_width=encoder.pack_width,
                threads=encoder.threads,
            )

    def missing(self, runs: Sequence[Run], context: TrainingContext) -> list[Run]:
        """List the runs of the autoencoders that are not kept, each once."""
        store = EncoderStore(context.encoders)
        needed = {run.encoder.key: run.encoder for run in runs}
        return [encoder for key, encoder in needed.items() if store.load(key) is None]

    def train_encoders(
        self, runs: Sequence[Run], context: TrainingContext, on_epochs: OnEpochs
    ) -> tuple[Mapping[str, TrainedEncoder], Mapping[str, str]]:
        """Give the encoder for each key, or the reason why there is none; train those that are not kept."""
        heads: dict[str, list[Run]] = {}
        for run in runs:
            heads.setdefault(run.encoder.key, []).append(run)
        encoders: dict[str, TrainedEncoder] = {}
        reasons: dict[str, str] = {}

        def tell(points: Sequence[EpochPoint]) -> None:
            on_epochs([EpochPoint(run.key, 0, past=point.past) for point in points for run in heads[point.key]])

        store = EncoderStore(context.encoders)
        with store.locked(sha256(" ".join(sorted(heads)).encode()).hexdigest()[:16], on_epochs):
            for key in heads:
                if (encoder := store.load(key)) is not None:
                    encoders[key] = encoder
                    epochs = sum(context.facts(heads[key][0]).epochs) - 1
                    tell([EpochPoint(key, 0, past=True)] * epochs)
            left = [of_key[0].encoder for key, of_key in heads.items() if key not in encoders]
            networks = self.networks.train(left, context.of_encoders(runs[0]), tell) if left else ()
            for outcome in networks:
                key = outcome.run.key
                if outcome.reason is not None:
                    reasons[key] = outcome.reason
                    continue
                encoders[key] = trained_encoder(outcome)
                store.save(key, encoders[key])
        return encoders, reasons


def trained_encoder(outcome: Outcome) -> TrainedEncoder:
    """Take the encoder out of a trained autoencoder."""
    assert isinstance(outcome.method, AE)
    state = encoder_weights(outcome.method)
    return TrainedEncoder(state, outcome.steps, outcome.seconds, outcome.pack_width, outcome.threads)
