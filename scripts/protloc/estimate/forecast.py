"""The estimate as a run prints it before it submits jobs: of the whole study, and never a reason to stop."""

from __future__ import annotations

from collections.abc import Mapping

from protloc.config.backbones import Backbone
from protloc.config.settings import Study


def forecast(study: Study, registry: Mapping[str, Backbone]) -> list[str]:
    """The lines of the estimate of a study, or why there is none."""
    try:
        from protloc.estimate.command import lines  # with torch and timm, which a run that asks nobody spares

        return ["All of the study, what is done already included:", *lines(study, registry)]
    except Exception as error:  # whatever it is, the step that computes with the network says it in full
        return [f"No estimate of GPU hours: {error}"]
