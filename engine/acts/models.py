"""Acts on models: train, stop training, and back to the champion before.

Owns the wishes only: the line writes down what is asked for, the runner beside it does it.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from data.nouns.models import ModelState
from engine.acts.registry import Acting, act
from engine.client import Refused
from engine.reasons import ReasonCode

#: The change on the feed by which the runner hears of a wish.
ASKED = "model_asked"


class ModelParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """These acts take no parameters."""


@act("train", capability="model:train", kinds="model", params=ModelParams)
def train(acting: Acting, params: ModelParams) -> None:
    """Learn a model anew; it serves only if it is better than what serves now."""
    for state in _named(acting):
        if state.state == "running":
            acting.refuse(f"model:{state.id}", "it is being trained")
        else:
            _wish(acting, state, "train")


@act("cancel_training", capability="model:train", kinds="model", params=ModelParams)
def cancel_training(acting: Acting, params: ModelParams) -> None:
    """End the training of a model, or take back that it was asked for."""
    for state in _named(acting):
        if state.state == "running":
            _wish(acting, state, "cancel")
        elif state.wish:
            _wish(acting, state, "")
        else:
            acting.refuse(f"model:{state.id}", "it is not being trained")


@act("rollback_model", capability="model:train", kinds="model", params=ModelParams)
def rollback_model(acting: Acting, params: ModelParams) -> None:
    """Let the champion before this one serve again."""
    for state in _named(acting):
        if state.state == "running":
            acting.refuse(f"model:{state.id}", "it is being trained")
        else:
            _wish(acting, state, "rollback")


def _named(acting: Acting) -> list[ModelState]:
    if acting.scope.sites is not None:
        raise Refused("models serve all sites", remedy="ask somebody who sees all sites", status=403)
    found = []
    for name in dict.fromkeys(acting.names("model")):
        state = acting.draft.noun("models", name)
        if state is None:
            known = sorted(one.id for one in acting.draft.all_nouns("models") if one.tenant == acting.draft.tenant)
            acting.refuse(f"model:{name}", f"not found, no such model; there are: {', '.join(known) or 'none'}")
        else:
            found.append(state)
    return found


def _wish(acting: Acting, state: ModelState, wish: str) -> None:
    draft = acting.draft
    asked = replace(state, at=draft.now, wish=wish, wish_by=acting.actor if wish else "")
    draft.put_noun(asked, announce=False)
    draft.announce_noun(asked, ASKED, ReasonCode.BY_OPERATOR)
    acting.change("model", state.id)
