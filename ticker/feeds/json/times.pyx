"""Times written as text, to ns since the epoch: by the form of RFC 3339, or by a pattern.

Law: a time without an offset is a time only where its zone is known. On the day when clocks go
back, an hour comes twice: such a time is the first of the two. One in the hour that is left out
when clocks go forward is read by the clock before (PEP 495, fold 0).

`units.parse_timestamp` and `datetime` are the same for Python, and these are tested against them.
"""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free

from ticker.feeds.json.scalars cimport digit

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from ticker.errors import DecodeError

cdef enum:
    FIRST_YEAR = 1678            # what an int64 of ns holds
    LAST_YEAR = 2261

cdef const char* MONTHS = b"janfebmaraprmayjunjulaugsepoctnovdec"
ZONE_YEARS = (1970, 2100)
"""The changes of a zone's offset are known from the first of these years to the last."""
PROBE = timedelta(days=7)
"""No zone changes its offset twice within this."""


cdef struct Civil:
    # a time as a clock shows it
    int year, month, day, hour, minute, second
    int64_t fraction             # ns
    int64_t east                 # s east of UTC
    bint has_offset
    int half                     # of the day: 0 not said, 1 AM, 2 PM


cdef struct Cursor:
    const char* at
    const char* end


cdef class TimeZone:
    """The offsets of one zone.

    Raises:
        ValueError: there is no such zone here.
    """

    def __init__(self, name: str) -> None:
        cdef int32_t i
        if self.zone.shifts != NULL:
            raise ValueError("a time zone is made once")
        try:
            first, shifts = changes(name)
        except (KeyError, OSError, ValueError):
            raise ValueError(f"no time zone {name!r} here; take one like America/New_York") from None
        self.name = name
        self.zone.shifts = <Shift*>calloc(len(shifts) + 1, sizeof(Shift))
        if self.zone.shifts == NULL:
            raise MemoryError("no memory for a time zone")
        self.zone.first = first
        for i, (when, before, after) in enumerate(shifts):
            # In the hour that is left out, and in the first of two, the clock before holds.
            self.zone.shifts[i] = Shift(when + max(before, after), after)
        self.zone.count = len(shifts)

    def __dealloc__(self) -> None:
        free(self.zone.shifts)


@cache
def changes(name: str) -> tuple[int, list[tuple[int, int, int]]]:
    """The offset of a zone at the start, and each change: (when, offset before, offset after),
    s since the epoch and s east of UTC."""
    zone = ZoneInfo(name)

    def east(at: datetime) -> int:
        return round(at.astimezone(zone).utcoffset().total_seconds())

    at = datetime(ZONE_YEARS[0], 1, 1, tzinfo=UTC)
    offset = first = east(at)
    found = []
    while at.year < ZONE_YEARS[1]:
        following = at + PROBE
        after = east(following)
        if after != offset:
            low, high = int(at.timestamp()), int(following.timestamp())
            while high - low > 1:
                middle = (low + high) // 2
                changed = east(datetime.fromtimestamp(middle, UTC)) != offset
                low, high = (low, middle) if changed else (middle, high)
            found.append((high, offset, after))
        at, offset = following, after
    return first, found


cdef int64_t east_of_utc(const Zone* zone, int64_t wall) noexcept nogil:
    """The offset of a zone when its clock shows `wall`, s."""
    cdef int32_t low = 0
    cdef int32_t high = zone.count
    cdef int32_t middle
    while low < high:
        middle = (low + high) // 2
        if zone.shifts[middle].wall <= wall:
            low = middle + 1
        else:
            high = middle
    return zone.shifts[low - 1].after if low else zone.first


cdef int64_t days_of(int year, int month, int day) noexcept nogil:
    """Days since 1970-01-01 (H. Hinnant, days_from_civil); years from 0 on."""
    cdef int64_t y = year - (1 if month <= 2 else 0) + 400
    cdef int64_t era = y // 400
    cdef int64_t yoe = y - era * 400
    cdef int64_t doy = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    cdef int64_t doe = yoe * 365 + yoe // 4 - yoe // 100 + doy
    return (era - 1) * 146097 + doe - 719468


cdef int days_in(int year, int month) noexcept nogil:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


cdef TimeFound instant(const Civil* civil, const Zone* zone, int64_t* out) noexcept nogil:
    """A leap second is the first second of the next minute, as POSIX time has it."""
    cdef int64_t wall
    if not (FIRST_YEAR <= civil.year <= LAST_YEAR and 1 <= civil.month <= 12
            and 1 <= civil.day <= days_in(civil.year, civil.month)):
        return NO_TIME
    if not (0 <= civil.hour < 24 and 0 <= civil.minute < 60 and 0 <= civil.second <= 60):
        return NO_TIME
    if not civil.has_offset and zone == NULL:
        return NO_OFFSET
    wall = days_of(civil.year, civil.month, civil.day) * 86400 + civil.hour * 3600
    wall += civil.minute * 60 + civil.second
    wall -= civil.east if civil.has_offset else east_of_utc(zone, wall)
    out[0] = wall * 1000000000 + civil.fraction
    return TIME_FOUND


cdef inline int two(const char* at) noexcept nogil:
    """Two digits, or a number below 0."""
    if not (digit(at[0]) and digit(at[1])):
        return -1000
    return (at[0] - c"0") * 10 + (at[1] - c"0")


cdef bint take_fraction(Cursor* cursor, int64_t* out) noexcept nogil:
    """Digits after a point, ns; finer ones are cut."""
    cdef int64_t unit = 100000000
    if cursor.at == cursor.end or not digit(cursor.at[0]):
        return False
    out[0] = 0
    while cursor.at < cursor.end and digit(cursor.at[0]):
        out[0] += (cursor.at[0] - c"0") * unit
        unit //= 10
        cursor.at += 1
    return True


cdef bint take_offset(Cursor* cursor, Civil* out) noexcept nogil:
    """Z, +05:30, +0530 or +05, as ISO 8601 has them."""
    cdef const char* at = cursor.at
    cdef size_t left = cursor.end - at
    cdef int hours, minutes = 0
    cdef size_t used = 3
    if not left:
        return False
    out.has_offset = True
    if at[0] == c"Z" or at[0] == c"z":
        cursor.at += 1
        out.east = 0
        return True
    if (at[0] != c"+" and at[0] != c"-") or left < 3:
        return False
    hours = two(at + 1)
    if left >= 6 and at[3] == c":":
        minutes = two(at + 4)
        used = 6
    elif left >= 5 and digit(at[3]):
        minutes = two(at + 3)
        used = 5
    if not (0 <= hours < 24 and 0 <= minutes < 60):
        return False
    minutes += 60 * hours
    out.east = 60 * (minutes if at[0] == c"+" else -minutes)
    cursor.at += used
    return True


cdef TimeFound read_iso(
    const char* text, size_t length, const Zone* zone, int64_t* out
) noexcept nogil:
    """A time in the form of RFC 3339 (section 5.6), as other writers have it too: its offset may
    be without a colon or minutes, have a blank before it, or be left out where `zone` is known."""
    cdef Civil civil
    cdef Cursor cursor
    if length < 19 or text[4] != c"-" or text[7] != c"-" or text[13] != c":" or text[16] != c":":
        return NO_TIME
    if text[10] != c"T" and text[10] != c"t" and text[10] != c" ":
        return NO_TIME
    civil.year = two(text) * 100 + two(text + 2)
    civil.month, civil.day = two(text + 5), two(text + 8)
    civil.hour, civil.minute, civil.second = two(text + 11), two(text + 14), two(text + 17)
    civil.fraction = civil.east = 0
    civil.has_offset = False
    cursor.at = text + 19
    cursor.end = text + length
    if cursor.at < cursor.end and cursor.at[0] == c".":
        cursor.at += 1
        if not take_fraction(&cursor, &civil.fraction):
            return NO_TIME
    if cursor.at < cursor.end:
        if cursor.at[0] == c" ":
            cursor.at += 1
        if not take_offset(&cursor, &civil) or cursor.at != cursor.end:
            return NO_TIME
    return instant(&civil, zone, out)


cdef bint take_digits(Cursor* cursor, int most, int* out) noexcept nogil:
    """One to `most` digits."""
    cdef int taken = 0
    out[0] = 0
    while cursor.at < cursor.end and taken < most and digit(cursor.at[0]):
        out[0] = 10 * out[0] + (cursor.at[0] - c"0")
        cursor.at += 1
        taken += 1
    return taken > 0


cdef bint take_month(Cursor* cursor, int* out) noexcept nogil:
    """The first three letters of an English month."""
    cdef int month, i
    if cursor.end - cursor.at < 3:
        return False
    for month in range(12):
        for i in range(3):
            if (cursor.at[i] | 0x20) != MONTHS[3 * month + i]:
                break
        else:
            out[0] = month + 1
            cursor.at += 3
            return True
    return False


cdef bint take_half(Cursor* cursor, int* out) noexcept nogil:
    """AM or PM."""
    if cursor.end - cursor.at < 2 or (cursor.at[1] | 0x20) != c"m":
        return False
    out[0] = 1 if (cursor.at[0] | 0x20) == c"a" else 2 if (cursor.at[0] | 0x20) == c"p" else 0
    cursor.at += 2
    return out[0] != 0


cdef bint take(Cursor* cursor, char directive, Civil* out) noexcept nogil:
    """What a directive of a pattern stands for."""
    cdef bint good = True
    if directive == c"Y":
        return cursor.end - cursor.at >= 4 and take_digits(cursor, 4, &out.year)
    if directive == c"y":
        good = cursor.end - cursor.at >= 2 and take_digits(cursor, 2, &out.year)
        out.year += 2000
        return good
    if directive == c"m":
        return take_digits(cursor, 2, &out.month)
    if directive == c"b":
        return take_month(cursor, &out.month)
    if directive == c"d":
        return take_digits(cursor, 2, &out.day)
    if directive == c"H":
        return take_digits(cursor, 2, &out.hour)
    if directive == c"I":
        return take_digits(cursor, 2, &out.hour) and 1 <= out.hour <= 12
    if directive == c"p":
        return take_half(cursor, &out.half)
    if directive == c"M":
        return take_digits(cursor, 2, &out.minute)
    if directive == c"S":
        return take_digits(cursor, 2, &out.second)
    if directive == c"f":
        return take_fraction(cursor, &out.fraction)
    if directive == c"z":
        return take_offset(cursor, out)
    return False


cdef TimeFound read_pattern(
    const char* pattern, const char* text, size_t length, const Zone* zone, int64_t* out
) noexcept nogil:
    """A time by a pattern of `strptime` directives (NUL-terminated, without a problem). The point
    and the digits of `.%f` may be missing."""
    cdef Civil civil = Civil(0, 0, 0, 0, 0, 0, 0, 0, False, 0)
    cdef Cursor cursor
    cursor.at = text
    cursor.end = text + length
    while pattern[0]:
        if pattern[0] == c"." and pattern[1] == c"%" and pattern[2] == c"f" and (
            cursor.at == cursor.end or cursor.at[0] != c"."
        ):
            pattern += 3
        elif pattern[0] == c"%" and pattern[1] != c"%":
            if not take(&cursor, pattern[1], &civil):
                return NO_TIME
            pattern += 2
        else:
            pattern += 1 if pattern[0] == c"%" else 0
            if cursor.at == cursor.end or cursor.at[0] != pattern[0]:
                return NO_TIME
            cursor.at += 1
            pattern += 1
    if cursor.at != cursor.end:
        return NO_TIME
    if civil.half:
        civil.hour = civil.hour % 12 + (12 if civil.half == 2 else 0)
    return instant(&civil, zone, out)


def pattern_problem(pattern: str) -> str:
    """What is wrong with a pattern; nothing: the empty text."""
    directives = []
    rest = pattern.replace("%%", "")
    while "%" in rest:
        _, _, rest = rest.partition("%")
        if rest[:1] not in tuple("YymbdHIpMSfz"):
            return f"%{rest[:1]} is none of %Y %y %m %b %d %H %I %p %M %S %f %z"
        directives.append(rest[0])
    for one_of in ("Yy", "mb", "d", "HI"):
        if not set(one_of) & set(directives):
            return f"without %{one_of[0]} it says no time of a day"
    if ("I" in directives) != ("p" in directives):
        return "%I and %p go together"
    if len(set(directives)) != len(directives):
        return "a directive is there twice"
    return "" if pattern.isascii() and "\0" not in pattern else "it has letters that are not ASCII"


cdef int64_t found_or_error(TimeFound found, int64_t value, bytes text) except? -1:
    if found == NO_OFFSET:
        raise DecodeError(f"time {text[:40]!r}: without an offset, and no time zone is given")
    if found != TIME_FOUND:
        raise DecodeError(f"time {text[:40]!r}: not of the form 2026-03-29T14:30:01.234Z")
    return value


def iso(text: bytes, zone: TimeZone | None = None) -> int:
    """`read_iso` from Python. Raises DecodeError."""
    cdef int64_t value = 0
    cdef const Zone* known = &zone.zone if zone is not None else NULL
    cdef TimeFound found = read_iso(text, len(text), known, &value)
    return found_or_error(found, value, text)


def by_pattern(pattern: str, text: bytes, zone: TimeZone | None = None) -> int:
    """`read_pattern` from Python. Raises DecodeError, or ValueError: the pattern is none."""
    cdef int64_t value = 0
    cdef const Zone* known = &zone.zone if zone is not None else NULL
    cdef bytes directives = pattern.encode()
    if problem := pattern_problem(pattern):
        raise ValueError(f"{pattern!r}: {problem}")
    cdef TimeFound found = read_pattern(directives, text, len(text), known, &value)
    return found_or_error(found, value, text)
