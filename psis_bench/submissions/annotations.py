"""Where the annotations are that a submission was scored against: on this machine, never where a submission says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from psis_bench.data.dataset_config import DatasetConfig
from psis_bench.errors import UserError
from psis_bench.submissions.schema import Submission

_CURE = "give it with data=NAME, YAML or annotation file (and data.root=DIR)"


@dataclass(frozen=True, kw_only=True)
class AnnotationSource:
    """What the person who checks has given.

    Attributes:
        data: Name of a data set, a YAML file, or an annotation file (``.json``); None: by the submission's name.
        root: The folder that holds the data set.
    """

    data: str | None = None
    root: str | None = None

    def path_for(self, submission: Submission) -> Path:
        """Return the annotation file for a submission; a synthetic set that is not there yet is made.

        Raises:
            UserError: It is not known or not there.
        """
        if self.data is not None and self.data.endswith(".json"):
            path = Path(self.data).expanduser()
        else:
            path = self.dataset_for(submission).val.annotations
        if not path.is_file():
            raise UserError("no such annotation file", where=str(path), cure=_CURE)
        return path

    def dataset_for(self, submission: Submission) -> DatasetConfig:
        """Return the data set of a submission, with the folder of its images.

        Raises:
            UserError: It is not known; or only an annotation file was given.
        """
        from psis_bench.data.dataset_config import get_dataset, list_datasets

        name = self.data or submission.dataset.name
        if name.endswith(".json"):
            raise UserError("the images are needed too", where=name, cure="give data=NAME or a data set's YAML")
        # A name alone: what a submission calls its data set must never be taken for a path.
        if self.data is None and name not in {listing.name for listing in list_datasets()}:
            raise UserError(f"data set {name!r} is not known here", cure=_CURE)
        dataset = get_dataset(name, root=self.root)
        if dataset.synthetic is not None and not dataset.val.annotations.is_file():
            from psis_bench.data.synthetic.make import ensure_synthetic

            ensure_synthetic(dataset)
        return dataset
