"""ROUTE: one model on several backends, by weight or by prefix. Samples are planned, and there is no second try.

Each check says n, alpha, effect and power; together they spend less than FAMILY_ALPHA of a run.
"""

from __future__ import annotations

from collections import Counter

from fixtures.api import Api, unique
from fixtures.backends import backend_of, in_rounds, sample, sample_over_one_line, weighted, with_prefix
from fixtures.limits import first_wrong
from gateproof.limits.affinity import keeps_together
from gateproof.limits.finding import Finding
from gateproof.limits.split import Split
from gateproof.limits.statistics import ALPHA
from gateproof.targets.model import Route, Target
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive, NotDeclared

# What a sampled request costs: orders for our engine and one token back, or a short prompt and one token.
TOKENS_EACH = 60
OPENED_ANEW = 0.1  # connections per request from which on one connection did not decide for enough of them (ROUTE-016)

# ROUTE-018. All that fall on one of two backends by chance do so once in 2 ** 15 runs.
PREFIXES, REPEATS = 16, 4
PREFIX_WORDS = 50  # of 19 characters: some sixteen blocks of the sixteen tokens in which caches keep prefixes
PREFIX_TOKENS = 1000  # at most, however the model counts


def splits(target: Target) -> dict[str, Split]:
    """By model, those that share their requests out; they share alpha, too."""
    shared = [route for route in weighted(target) if sum(share > 0 for share in route.weights.values()) > 1]
    return {route.model: Split(route.weights, alpha=ALPHA / len(shared)) for route in shared}


def drained(target: Target) -> dict[str, Split]:
    """By model, those with a backend of weight 0 and one other."""
    return {route.model: Split(route.weights) for route in weighted(target) if route.model not in splits(target)}


def most(plans: dict[str, Split]) -> int:
    return sum(plan.most for plan in plans.values())


def route_of(api: Api, model: str) -> Route:
    route = api.target.route(model)
    assert route is not None, "a plan is made of a route"
    return route


@requirement(
    "ROUTE-015",
    requests=lambda target: most(splits(target)),
    tokens=lambda target: TOKENS_EACH * most(splits(target)),
    needs=("api.chat",),
    part="shares",
)
def test_a_split_follows_its_weights(api: Api) -> None:
    """For two backends at 70 and 30: n = 922, alpha = 1e-4 in two looks, effect of 10 points, power 0.99.

    The second look, at twice the sample, is taken only when the first one is in doubt (p below 0.01).
    """
    plans = splits(api.target)
    if not plans:
        raise NotDeclared("no model has two backends with a share")
    assert first_wrong([judged(api, route_of(api, model), plan) for model, plan in plans.items()])


def judged(api: Api, route: Route, plan: Split) -> Finding:
    counts = sample(api, route, plan.trials)
    if plan.in_doubt(counts):
        counts += sample(api, route, plan.most - plan.trials)
    return plan.judge(counts)


@requirement(
    "ROUTE-015",
    requests=lambda target: most(drained(target)),
    tokens=lambda target: TOKENS_EACH * most(drained(target)),
    needs=("api.chat",),
    part="weight zero",
)
def test_a_backend_of_weight_zero_gets_nothing(api: Api) -> None:
    """n = 44, effect of 10 points, power 0.99; alpha is 0, since one answer from there refutes for certain."""
    plans = drained(api.target)
    if not plans:
        raise NotDeclared("no model has a backend of weight 0 beside one other")
    assert first_wrong([judged(api, route_of(api, model), plan) for model, plan in plans.items()])


def pinned(target: Target) -> Split:
    """The sample of one connection: a connection that is bound to its backend gives it everything, or nothing."""
    models = splits(target)
    if not models:
        return Split({"": 1.0})
    split = next(iter(models.values()))
    return Split(split.weights, delta=min(*split.shares.values(), 1 - max(split.shares.values())))


@requirement(
    "ROUTE-016",
    requests=lambda target: pinned(target).most,
    tokens=lambda target: TOKENS_EACH * pinned(target).most,
    needs=("api.chat",),
)
def test_a_connection_does_not_decide_the_backend(api: Api) -> None:
    """For 70 and 30: n = 101 over one connection, alpha = 1e-4 in two looks, effect of 30 points (all to one backend),
    power 0.99. That the same split holds over many connections is the other check's matter.
    """
    plans = splits(api.target)
    if not plans:
        raise NotDeclared("no model has two backends with a share")
    route, plan = route_of(api, next(iter(plans))), pinned(api.target)
    counts = kept(api, route, plan.trials)
    if plan.in_doubt(counts):
        counts += kept(api, route, plan.most - plan.trials)
    assert plan.judge(counts)


def kept(api: Api, route: Route, size: int) -> Counter[str]:
    """A sample over one connection, if it is kept."""
    counts, connections = sample_over_one_line(api, route, size)
    if connections > size * OPENED_ANEW:
        raise Inconclusive(
            f"{connections} connections for {size} requests: none is kept long enough to decide anything"
        )
    return counts


@requirement(
    "ROUTE-018",
    requests=PREFIXES * REPEATS,
    tokens=PREFIXES * REPEATS * (PREFIX_TOKENS + TOKENS_EACH),
    needs=("api.chat",),
)
def test_a_long_prefix_keeps_to_its_backend(api: Api) -> None:
    """n = 64 (16 prefixes, 4 times each), alpha = 1e-4; any router that keeps half of them together is seen (0.99)."""
    route = next(route for route in api.target.routes if route.affinity)
    prefixes = [long_prefix() for _ in range(PREFIXES)]
    assert keeps_together(
        in_rounds(PREFIXES, REPEATS, lambda group: backend_of(api, route, with_prefix(api, route, prefixes[group])))
    )


def long_prefix() -> str:
    """Like no other from its first word on."""
    return " ".join(unique("prefix") for _ in range(PREFIX_WORDS))
