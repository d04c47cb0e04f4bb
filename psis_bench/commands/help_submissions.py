"""What the help of the commands about submissions says."""

from __future__ import annotations

from psis_bench.commands.command import JSON, Command, Option

SUBMISSION_COMMANDS: dict[str, Command] = {
    "bundle": Command(
        summary="make a submission of runs, or of predictions of any software",
        description="Write a submission: description, scores, predictions, settings and versions, as data that\n"
        "anybody can check. At first a small about.yaml is written for you to fill in; then the same command again.\n\n"
        "  RUN ...            folders of runs, one seed each\n"
        "  RESULTS            a COCO results file or a prediction folder, with split= and data=\n"
        "  about=FILE         what only you know           [RUN/about.yaml, or RESULTS.about.yaml]\n"
        "  out=DIR            where to write <split>@<version>/<model>/<seed>     [submissions]\n"
        "  seeds=0,1,2        all seeds of the row         [those that are given]",
        module="psis_bench.commands.bundle",
        examples=(
            "psis-bench bundle runs/voc2nonvoc/detection_free-small-synthetic-seed0",
            "psis-bench bundle results.json split=voc2nonvoc data=coco data.root=/data/coco --zip",
        ),
        argument="what",
        argument_help="runs or predictions, and settings as above",
        options=(
            JSON,
            Option("zip", "pack each submission into a zip archive, too"),
            Option("weights", "put the weights into it"),
            Option("replace", "write a submission again that is there already"),
        ),
    ),
    "validate": Command(
        summary="check submissions: every problem with its cure (needs no torch)",
        description="Check submissions, whoever made them: names, hashes, splits, seeds, and the scores, which are\n"
        "computed from the predictions again and compared within 1e-6. Nothing in them is run. Exit code 1 when there\n"
        "is a problem.\n\n"
        "  FOLDER|ZIP ...     submissions, or folders of them               [all of the model zoo]\n"
        "  data=, data.root=  where the annotations are                     [by the name of the data set]\n"
        "  zoo=DIR            the model zoo: duplicates and missing seeds   [model_zoo]\n"
        "  base=DIR           only those of the zoo that this one does not hold\n"
        "  predictions=DIR, weights=FILE    what a submission does not hold itself\n"
        "  retrained=RUN      a run of the same settings that you have trained: tier 'retrained'",
        module="psis_bench.commands.validate",
        examples=(
            "psis-bench validate submissions/voc2nonvoc@1/my_model data=coco data.root=/data/coco",
            "psis-bench validate submission.zip --markdown",
            "psis-bench validate model_zoo/submissions/voc2nonvoc@1/my_model/0 --repredict",
        ),
        argument="what",
        argument_help="submissions and settings as above",
        options=(
            JSON,
            Option("markdown", "print the answer as Markdown: problems, or a table with the rows of its split"),
            Option("repredict", "also predict again from the weights: tier 're-predicted' (needs torch)"),
        ),
    ),
    "add": Command(
        summary="check submissions and place them in the model zoo",
        description="Check submissions as psis-bench validate does, with the same settings, and copy them to\n"
        "model_zoo/submissions/<split>@<version>/<model>/<seed>, each with the record of what was checked.\n"
        "Nothing is copied when one of them has a problem. All seeds of a row are given together.",
        module="psis_bench.commands.validate",
        examples=("psis-bench add submissions/voc2nonvoc@1/my_model", "psis-bench add submission.zip zoo=model_zoo"),
        argument="what",
        argument_help="submissions, and settings of psis-bench validate",
        options=(
            JSON,
            Option("repredict", "also predict again from the weights: tier 're-predicted' (needs torch)"),
            Option("replace", "take the place of submissions of the same split, model and seed"),
        ),
    ),
}
