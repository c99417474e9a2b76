def declare_style(
    encoding: int,
    packed: bool,
    times: str,
    letters: bool,
    venues: dict[str, str],
    other: str = "",
) -> None: ...
