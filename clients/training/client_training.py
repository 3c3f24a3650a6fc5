"""Training the clients of a message as its strategy's clients' half says, whoever takes the steps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator
from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clients.batches import Batch, batches, steps_of, steps_per_epoch
from clients.measuring.fit import training_losses
from clients.regularization.dropout import Noise
from clients.regularization.early_stopping import EarlyStopping, HoldoutLosses, PytorchLosses
from clients.regularization.mixup import Mixup
from clients.regularization.weights import after_step, before_step, regularized_places
from clients.training.gradients import objective_gradients
from clients.training.inputs import Augment
from clients.training.job import TrainedClients, TrainJob
from clients.training.local_training import StackTraining
from clients.training.placed_examples import PlacedExamples
from clients.training.schedules import LearningRates
from clients.training.step_sizes import summed_step_size
from clients.training.trainer import Stack
from common import seeds
from common.data.examples import ExampleReader
from common.data.prepared import Indices
from common.determinism import unmoved_generators
from common.devices import CPU, to_device
from common.evaluation import Evaluator
from common.extend.client import ClientAlgorithm, ClientContext, ClientLoop, client_algorithm
from common.models import Weights
from common.scenario.model import MLPModel
from common.scenario.training import Training

_AT_ONCE = 256
"""How many examples of each client a pass over all of them takes at once."""


class ClientTraining:
    """What both trainers have in common: a stack is made ready, trained and finished as the method says."""

    def __init__(self, job: TrainJob) -> None:
        self._job, self._order, self._basis = job, job.order, job.basis
        self._placed: tuple[Indices, PlacedExamples] | None = None

    @abstractmethod
    def take_steps(self, stack: Stack, course: StackTraining) -> tuple[NDArray[np.float64], Indices]:
        """Train a stack in place: each client's mean batch loss, and the steps behind its weights, (stack,)."""

    def train(self, places: Indices) -> TrainedClients:
        """Train the clients at `places` of the message."""
        sizes = self._job.prepared.training_shards(self._order.blocks.clients[places]).sizes
        counts = steps_of(sizes, self._job.training)
        # Clients with many steps first: those still at work in a step are then the first few of the stack.
        order = np.lexsort((-sizes, -counts))
        back = np.argsort(order)
        chosen = places[order]
        course = self._course(chosen, self._job.training, self._job.settings.seed)
        flat = to_device(self._job.starting_weights(chosen), self._basis.device)
        weights = self._job.layout.views(flat)
        used = ", ".join(use.name for use in self._job.settings.uses)
        with unmoved_generators(used) if used else nullcontext():
            algorithm = self._algorithm(chosen, sizes[order], course)
            stack = course.ready(weights, algorithm.parameters_to_train(list(self._basis.trained)))
            stack.alike = self._job.starts_alike
            self._job.restore_optimizer_state(stack.optimizer_state, chosen)
            algorithm.begin(stack)
            if isinstance(algorithm, ClientLoop):
                losses, steps = course.train_by(algorithm, stack, self._keys(chosen))
            else:
                losses, steps = course.train(stack)
            ended = algorithm.end(stack, steps)
        for name, buffer in stack.buffers.items():
            weights[name].copy_(buffer)
        # Nothing is copied where the clients came in this order.
        again = slice(None) if (np.diff(order) == 1).all() else torch.from_numpy(back)
        kept = stack.optimizer_state if self._job.training.optimizer_state == "client" else {}
        # Everything comes back at the end: in between nothing waits for a card.
        return TrainedClients(
            flat=flat.cpu()[again],
            losses=losses[back],
            sizes=sizes,
            steps=steps[back],
            state={name: tensor.cpu()[again] for name, tensor in (kept | ended.state).items()},
            contributions={name: rows.cpu()[again] for name, rows in ended.contributions.items()},
            metrics={name: values[back] for name, values in ended.metrics.items()},
        )

    def _algorithm(self, places: Indices, sizes: Indices, course: StackTraining) -> ClientAlgorithm:
        """The clients' half of the method. Raises TypeError for one that does not train as its part says."""
        strategy = self._job.strategy
        algorithm = client_algorithm(strategy)(strategy, self._context(places, sizes, course))
        if isinstance(algorithm, ClientLoop) != strategy.own_loop:
            raise TypeError(f"{type(strategy).__name__}.own_loop: expected {not strategy.own_loop}, as its half is")
        return algorithm

    def _keys(self, places: Indices) -> list[int]:
        """What clients' own loops draw from, by client."""
        clients = self._order.blocks.clients[places].tolist()
        return [seeds.key(self._job.settings.seed, "loop", self._order.round, client) for client in clients]

    def _course(self, places: Indices, training: Training, seed: int) -> StackTraining:
        """The course of the clients at `places`, in descending order of their steps and examples."""
        clients = self._order.blocks.clients[places]
        shards = self._job.prepared.training_shards(clients)
        keys = seeds.streams(seed, "batches", self._order.round, clients)

        def steps(options: Training) -> Iterator[Batch]:
            return batches(shards.parts(), options, keys, self._job.dtype, self._basis.device)

        def warm_up(epochs: int) -> StackTraining:
            shorter = training.model_copy(update={"epochs": epochs, "steps": None})
            return self._course(places, shorter, seeds.key(seed, "warm-up"))

        course = StackTraining(
            places=places,
            shards=shards,
            training=training,
            seed=seed,
            counts=steps_of(shards.sizes, training),
            ready=lambda weights, moving: self.prepare(weights, moving, course),
            batches=lambda: steps(training),
            everything=lambda: steps(self._once(training)),
            warm_up=warm_up,
            train=lambda stack: self.take_steps(stack, course),
        )
        return course

    def _once(self, training: Training) -> Training:
        """One pass, in large batches where what a batch is changes nothing but rounding."""
        size = training.batch_size
        model = self._job.settings.model
        if size != "full" and isinstance(model, MLPModel) and model.normalization.name != "batch":
            size = max(size, _AT_ONCE)
        return training.model_copy(update={"epochs": 1, "steps": None, "batch_size": size})

    def _context(self, places: Indices, sizes: Indices, course: StackTraining) -> ClientContext:
        chosen = torch.from_numpy(places)
        device = self._basis.device
        kept = {name: to_device(tensor[chosen], device) for name, tensor in self._job.kept.items()}
        fresh = np.ones(len(places), dtype=bool) if self._order.fresh is None else self._order.fresh[places]
        arrays_of_each = {
            name: {n: to_device(torch.from_numpy(np.array(a[places])), device) for n, a in arrays.items()}
            for name, arrays in self._order.own.items()
        }

        own = self._job.training_of(places)
        return ClientContext(
            records=self._order.records,
            own=arrays_of_each,
            kept=kept,
            fresh=to_device(torch.from_numpy(fresh), device),
            training=self._job.training,
            local=course,
            sizes=sizes,
            training_losses=lambda models: self.training_losses(course, models),
            objective_gradients=lambda stack: objective_gradients(stack, course.everything(), own),
            summed_step_size=lambda steps: summed_step_size(own, self._rates(course), steps, self._job.dtype, device),
            device=device,
        )

    def training_losses(self, course: StackTraining, models: Weights) -> NDArray[np.float64]:
        """Each model's mean loss on each client's training examples: models (models, *shape) → (stack, models)."""
        evaluator = Evaluator(self._job.settings, self._order.data_spec)
        models = {name: tensor.cpu() for name, tensor in models.items()}
        clients = self._order.blocks.clients[course.places].tolist()
        return np.stack(
            [training_losses(evaluator, self._job.prepared, self._basis.examples, models, one) for one in clients]
        )

    def _rates(self, course: StackTraining) -> LearningRates:
        own = self._job.training_of(course.places)
        rounds, device = self._job.settings.rounds, self._basis.device
        return LearningRates(own, self._order.round, rounds, course.counts, self._job.dtype, device)

    def _examples(self, course: StackTraining) -> ExampleReader:
        """The course's examples where they are trained on; moved once for all of the clients' networks."""
        device, reader, places = self._basis.device, self._basis.examples, course.places
        if device == CPU:
            return reader
        if self._placed is None or not np.array_equal(self._placed[0], places):
            clients = self._order.blocks.clients[places]
            self._placed = places, PlacedExamples(reader, device, course.shards.parts(), reader.fills(clients))
        return self._placed[1]

    def prepare(self, weights: Weights, moving: Collection[str], course: StackTraining) -> Stack:
        """The stack of the course's clients that moves those of `weights` in place."""
        settings, number, clients = self._job.settings, self._order.round, self._order.blocks.clients[course.places]
        known, training, seed = self._basis.parameters, course.training, course.seed
        parameters = {name: weights[name] for name in known if name in moving}
        own = self._job.training_of(course.places)
        fills, examples = self._basis.examples.fills(clients), self._examples(course)
        regularized = regularized_places(self._basis.network, own, parameters)
        return Stack(
            network=self._basis.network,
            parameters=parameters,
            fixed={name: weights[name] for name in known if name not in moving},
            # Copies: PyTorch would take a change in `flat` during a forward pass for one of the parameters.
            buffers={name: weights[name].clone() for name in self._basis.buffers},
            examples=examples,
            fills=fills,
            objective=self._basis.objective,
            optimizer=own.optimizer,
            optimizer_state=own.optimizer.begin(parameters),
            rates=self._rates(course),
            noise=Noise(settings.model, seed, number, clients),
            before=before_step(own, regularized),
            after=after_step(own, regularized),
            augment=Augment.of(self._basis.pipeline, seed, number, clients),
            mixup=None if training.mixup is None else Mixup(training.mixup, seed, number, clients),
            stopping=self._stopping(course, examples, fills),
        )

    def _stopping(self, course: StackTraining, examples: ExampleReader, fills: Tensor | None) -> EarlyStopping | None:
        rule, clients = course.training.early_stopping, self._order.blocks.clients[course.places]
        if rule is None:
            return None
        holdout = [self._job.prepared.holdout_examples(int(client)) for client in clients]
        watched = np.array([len(positions) > 0 for positions in holdout])
        losses = self.holdout_losses(course, holdout, examples, fills)
        return EarlyStopping(rule, losses, watched, steps_per_epoch(course.shards.sizes, course.training))

    def holdout_losses(
        self, course: StackTraining, holdout: list[Indices], examples: ExampleReader, fills: Tensor | None
    ) -> HoldoutLosses:
        """What measures the clients' networks between epochs."""
        streams = seeds.streams(course.seed, "evaluation", 0, self._order.blocks.clients[course.places])
        return PytorchLosses(self._basis.objective, examples, holdout, fills, streams)
