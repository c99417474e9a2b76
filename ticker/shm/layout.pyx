"""The enums of shared memory for Python, and the names that are made from them.

Law: a name that users see (a counter, a state, a reason) is its enum member's own name, so that
a member inserted anywhere brings its name along and moves no other one.
"""


def names_of(members: object, prefix: str, end: str = "") -> tuple[str, ...]:
    """The names of an enum's members by number: in lower case, without their common prefix.

    Args:
        end: the member that only counts the others, and therefore has no name here.

    Raises:
        ImportError: the numbers do not count up from 0, or a member lacks the prefix. Raised while
            the package is imported, so that such an enum cannot be shipped.
    """
    named = {name: int(member) for name, member in members.__members__.items() if name != end}
    wrong = [
        f"{name} = {number}" for place, (name, number) in enumerate(named.items())
        if number != place or not name.startswith(prefix)
    ]
    if wrong:
        raise ImportError(
            f"{members.__name__}: {', '.join(wrong)}; members count up from 0 and their names "
            f"begin with {prefix!r}"
        )
    return tuple([name[len(prefix):].lower() for name in named])


TRADING_STATUSES = names_of(TradingStatus, "STATUS_")
FEED_STATES = names_of(FeedLiveness, "FEED_")
STALE_REASONS = names_of(StaleReason, "WHY_")
PHASES = names_of(MarketPhase, "PHASE_")
REJECT_REASONS = names_of(RejectRule, "REJECT_", end="REJECT_RULES")
