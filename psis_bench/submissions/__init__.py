"""Submissions: results as folders of data that anybody can check, without torch and without running any of their code.

What a submission holds: `psis_bench.submissions.schema` and docs/submit.md.
"""
