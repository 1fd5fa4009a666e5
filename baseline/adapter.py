"""All that RecBole 1.2.1 needs in order to run on NumPy 2 and current SciPy, and to leave nothing lying about.

RecBole's models, samplers and training of an epoch are used as they are; this module only makes them run, and scores
rows in an order that we know. `recbole.quick_start` is never imported: it pulls in ray and thop.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import logging
import sys
import types
import warnings
from collections.abc import Iterator, Mapping

import numpy as np
import scipy.sparse
import torch

from mma4ctr.cli import UserError
from mma4ctr.models.layers import number_of_parameters

# NumPy 2 dropped these names, which RecBole's Config reads.
NUMPY_NAMES = {"float_": np.float64, "complex_": np.complex128, "unicode_": np.str_}
NEGATIVES = ("sampled", "observed")
NOT_A_NUMBER = "Training loss is nan"  # what RecBole's trainer says then
SCORED_ROWS = 2_048  # at a time
LEAST_ROWS = 64  # of a last batch, where batches have four times as many or more


def _update(matrix: scipy.sparse.dok_matrix, cells: Mapping[tuple[int, int], float]) -> None:
    """Set cells of a matrix, as SciPy did before its 1.13; LightGCN and NGCF build their graphs with it."""
    matrix._dict.update({(int(row), int(column)): value for (row, column), value in cells.items()})


def recbole() -> types.SimpleNamespace:
    """Import RecBole and return the parts that are used.

    Raises
    ------
    UserError
        If it is not installed.
    """
    for name, kind in NUMPY_NAMES.items():
        if not hasattr(np, name):
            setattr(np, name, kind)
    if not hasattr(scipy.sparse.dok_matrix, "_update"):
        scipy.sparse.dok_matrix._update = _update
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            modules = {
                name: importlib.import_module(f"recbole.{name}") for name in ("config", "data", "utils", "trainer")
            }
            trainer = importlib.import_module("recbole.trainer.trainer")
    except ImportError as error:
        raise UserError(f"RecBole cannot be imported ({error}); run make baselines, which installs it") from None
    # A trainer would open a TensorBoard folder in the working directory.
    trainer.get_tensorboard = lambda logger: None
    logging.getLogger("recbole").setLevel(logging.ERROR)
    return types.SimpleNamespace(
        Config=modules["config"].Config, create_dataset=modules["data"].create_dataset,
        data_preparation=modules["data"].data_preparation, init_seed=modules["utils"].init_seed,
        get_model=modules["utils"].get_model, get_trainer=modules["utils"].get_trainer,
    )  # fmt: skip


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide our own command line, which RecBole would read, and warnings that newer pandas and PyTorch give of it."""
    arguments, sys.argv = sys.argv, sys.argv[:1]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.argv = arguments


def without_small_rest(rows: int, batch_size: int) -> int:
    """Return the batch size, or the next smaller one whose last batch is not much smaller than the others.

    A last batch of one row stops DIN, whose batches are normalised, and one of a few rows BERT4Rec and DIEN, where
    none of them has a history to mask or to predict.
    """
    least = max(2, min(LEAST_ROWS, batch_size // 4))
    smaller = (size for size in range(min(batch_size, rows), least, -1) if rows % size == 0 or rows % size >= least)
    return next(smaller, batch_size)


def class_of(implementation: str) -> type:
    """Return the class at ``package.module:Class``; raise `UserError` if there is none."""
    module, _, name = implementation.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{implementation}: cannot be imported ({error}), expected package.module:Class") from None


class ObservedNegatives:
    """Draws, as the negatives of pairwise models, items that the same user was shown in training and did not click.

    Parameters
    ----------
    shown : (rows, 2) int array
        User and item, as RecBole numbers them, of the training rows without a click.
    items : int
        How many items there are; a user without such rows gets any of them.
    seed : int
    """

    def __init__(self, shown: np.ndarray, items: int, seed: int) -> None:
        order = np.argsort(shown[:, 0], kind="stable")
        self.users, self.shown, self.items = shown[order, 0], shown[order, 1], items
        self.generator = np.random.default_rng(seed)

    def sample_by_user_ids(self, user_ids: np.ndarray, item_ids: np.ndarray, num: int) -> torch.Tensor:
        """Return `num` negatives for each user, all first ones before all second ones, as RecBole's samplers do."""
        users = np.tile(np.asarray(user_ids), num)
        first, end = np.searchsorted(self.users, users), np.searchsorted(self.users, users, side="right")
        drawn = first + (self.generator.random(len(users)) * (end - first)).astype(np.int64)
        anything = self.generator.integers(1, self.items, len(users))
        padded = np.append(self.shown, 0)
        return torch.from_numpy(np.where(end > first, padded[np.minimum(drawn, len(self.shown))], anything))


@dataclasses.dataclass
class Baseline:
    """A model in training, with the rows to score.

    Attributes
    ----------
    parts : dict of str to recbole.data.dataset.Dataset
        Validation and test rows, in the order of their files.
    """

    config: object
    model: torch.nn.Module
    trainer: object
    training: object
    parts: dict[str, object]
    loaders: dict[str, object]

    @property
    def parameters(self) -> int:
        """How many trainable numbers the model has."""
        return number_of_parameters(self.model)

    def train_epoch(self, epoch: int) -> float:
        """Train for one epoch, counted from 0, and return the sum of the batches' losses.

        Raises
        ------
        UserError
            If the loss is no longer a number.
        """
        try:
            with quiet():
                loss = self.trainer._train_epoch(self.training, epoch, show_progress=False)
        except ValueError as error:
            if str(error) != NOT_A_NUMBER:
                raise
            raise UserError(
                f"{self.config['model']}: the training loss of epoch {epoch + 1} is not a number; give another "
                "train_batch_size or a smaller learning_rate in a --config FILE"
            ) from None
        return float(np.sum(loss))

    @torch.inference_mode()
    def _scores(self, interaction: object) -> np.ndarray:
        found = [self.model.predict(interaction[start : start + SCORED_ROWS].to(self.config["device"])).reshape(-1)
                 for start in range(0, len(interaction), SCORED_ROWS)]  # fmt: skip
        return torch.cat(found).float().cpu().numpy()

    def scores(self, part: str) -> np.ndarray:
        """Return the scores (rows,) float32 of a part, row by row in the order of its file."""
        self.model.eval()
        with quiet():
            return self._scores(self.parts[part].inter_feat)

    def tokens(self, part: str) -> np.ndarray:
        """Return user and item (rows, 2) int64 of a part, as its file has them."""
        dataset = self.parts[part]
        columns = (dataset.id2token(field, dataset.inter_feat[field].numpy()) for field in ("user_id", "item_id"))
        return np.column_stack([column.astype(np.int64) for column in columns])

    def labels(self, part: str) -> np.ndarray:
        """Return the labels (rows,) int8 of a part, as RecBole read them."""
        return self.parts[part].inter_feat["label"].numpy().astype(np.int8)

    @torch.inference_mode()
    def sampled_scores(self, part: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return user, label and score, (rows,) each, of the rows of a part and the negatives that RecBole samples."""
        self.model.eval()
        found = []
        with quiet():
            for interaction, *_ in self.loaders[part]:
                columns = (interaction["user_id"].numpy(), interaction["label"].numpy(), self._scores(interaction))
                found.append(columns)
        user, label, score = (np.concatenate(column) for column in zip(*found, strict=True))
        return user, label.astype(np.int8), score


def add_negative_histories(datasets: list, items: int, seed: int) -> None:
    """Give DIEN a negative item for each item of a history, which RecBole leaves out for files that are split already.

    It draws them evenly from all items, as RecBole does for files that it splits itself.
    """
    generator = torch.Generator().manual_seed(seed)
    for dataset in datasets:
        history = dataset.inter_feat["item_id_list"]
        drawn = torch.randint(1, items, history.shape, generator=generator)
        dataset.inter_feat.interaction["neg_item_id_list"] = torch.where(history > 0, drawn, 0)


def known_numbers(dataset: object, rows: np.ndarray) -> np.ndarray:
    """Return users and items (known rows, 2) as RecBole numbers them.

    It numbers those of clicks, validation and test rows. What is in no such row is left out: nothing is tested on it.

    Parameters
    ----------
    dataset : recbole.data.dataset.Dataset
    rows : (rows, 2) int array
        User and item, as the files have them.
    """
    columns = []
    for column, field in zip(rows.T, ("user_id", "item_id"), strict=True):
        distinct, place = np.unique(column, return_inverse=True)
        numbers = dataset.field2token_id[field]
        columns.append(np.array([numbers.get(str(token), 0) for token in distinct.tolist()], dtype=np.int64)[place])
    numbered = np.column_stack(columns)
    return numbered[(numbered > 0).all(axis=1)]


def prepare(model: str, options: Mapping[str, object], seed: int, shown: np.ndarray | None) -> Baseline:
    """Read the files of a data set and return a model that is ready to be trained on it.

    Parameters
    ----------
    model : str
        RecBole's name of it, or package.module:Class of one's own class, which derives from one of RecBole's.
    options : mapping
        RecBole's options; `data_path` and `dataset` say where the files are.
    seed : int
    shown : (rows, 2) int array or None
        User and item, as the files have them, of the rows from which pairwise models draw observed negatives; None to
        let RecBole sample them.
    """
    library = recbole()
    network_class = class_of(model) if ":" in model else library.get_model(model)
    # Importing any sequential model imports SINE, which turns this on for good: training then takes twice as long.
    torch.autograd.set_detect_anomaly(False)
    with quiet():
        config = library.Config(network_class, options["dataset"], config_dict={**options, "seed": seed})
        library.init_seed(seed, reproducibility=True)
        dataset = library.create_dataset(config)
        training, validation, test = library.data_preparation(config, dataset)
        datasets = [loader._dataset for loader in (training, validation, test)]
        if config["model"] == "DIEN" and options["benchmark_filename"] is not None:
            add_negative_histories(datasets, dataset.item_num, seed)
        if shown is not None:
            training._sampler = ObservedNegatives(known_numbers(dataset, shown), dataset.item_num, seed)
        training.batch_sampler.batch_size = without_small_rest(training.sample_size, training.step)
        library.init_seed(seed, reproducibility=True)
        network = network_class(config, datasets[0]).to(config["device"])
        trainer = library.get_trainer(config["MODEL_TYPE"], config["model"])(config, network)
    parts = dict(zip(("validation", "test"), datasets[1:], strict=True))
    return Baseline(config, network, trainer, training, parts, {"validation": validation, "test": test})
