"""Creation times of orders: random access from order number to creation second and back.

Orders are numbered 0, 1, 2, ... in order of creation. Activity grows with time (one unit is a mean
day); order `n` is created when activity reaches about `n / orders per day`. Only one number per day
is stored, so the cost of a page depends neither on its position nor on the size of the shop.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from emulator.clock import BEIJING, DAY
from emulator.seeded import draw, fraction, salt_of

_WEEKDAYS = (0.95, 0.90, 0.92, 0.95, 1.05, 1.15, 1.08)
_MONDAY_OFFSET = 3  # 1970-01-01 was a Thursday
# Parts of a day's orders by hour ...
_HOURS = (12, 6, 3, 2, 2, 4, 10, 22, 38, 52, 60, 58, 54, 46, 44, 46, 48, 50, 56, 74, 96, 92, 62, 30)
# ... and in one single second: sales that open at midnight, 10:00 and 20:00, and the last second of a sale.
_RUSHES = {0: 8, 10 * 3600: 6, 20 * 3600: 9, DAY - 1: 3}
_OFFSET = int(BEIJING.utcoffset(None).total_seconds())


def _knots() -> tuple[list[float], list[int]]:
    """A day's cumulative distribution: shares of the day's orders, and seconds of the day."""
    shares, seconds, parts = [0.0], [0], 0
    for hour, weight in enumerate(_HOURS):
        for part, second in (
            (_RUSHES.get(hour * 3600, 0), hour * 3600),
            (weight, min((hour + 1) * 3600, DAY - 1)),
        ):
            parts += part
            shares.append(parts)
            seconds.append(second)
    shares.append(parts + _RUSHES[DAY - 1])
    seconds.append(DAY - 1)
    return [share / shares[-1] for share in shares], seconds


_SHARES, _SECONDS = _knots()


def _share_before(second: int) -> float:
    """The share of a day's orders created before this second of the day."""
    right = bisect_left(_SECONDS, second)
    if _SECONDS[right] == second:
        return _SHARES[right]
    span = (second - _SECONDS[right - 1]) / (_SECONDS[right] - _SECONDS[right - 1])
    return _SHARES[right - 1] + span * (_SHARES[right] - _SHARES[right - 1])


def _second_at(share: float) -> int:
    """The second of the day by which this share of the day's orders is created."""
    right = bisect_right(_SHARES, share, hi=len(_SHARES) - 1)
    span = (share - _SHARES[right - 1]) / (_SHARES[right] - _SHARES[right - 1])
    return int(_SECONDS[right - 1] + span * (_SECONDS[right] - _SECONDS[right - 1]))


class Arrivals:
    """Creation times of one shop's orders from `start` (unix seconds, a Beijing midnight) on.

    With `even`, hours, weekdays and sales make no difference; hours vary by chance only.
    """

    def __init__(self, key: bytes, start: int, per_day: float, *, even: bool = False) -> None:
        self._days_salt = salt_of(key.hex(), "days")
        self._times_salt = salt_of(key.hex(), "times")
        self.start = start
        self._per_day = per_day
        self._even = even
        self._activity = [0.0]  # at the start of each day
        self._never_shared = -1

    @classmethod
    def with_total(cls, key: bytes, start: int, total: int, now: int, *, even: bool = False) -> Arrivals:
        """Arrivals with exactly `total` orders at the end of second `now`. Raises ValueError if start is after now."""
        arrivals = cls(key, start, 0.0, even=even)
        activity = arrivals._activity_before(now + 1)
        if activity <= 0:
            raise ValueError("the shop's start must lie before now")
        arrivals._per_day = total / activity
        arrivals._never_shared = total // 2  # a pair across the boundary would make it one too many
        return arrivals

    @property
    def is_empty(self) -> bool:
        """Whether there are never any orders."""
        return not self._per_day

    def created(self, number: int) -> int:
        """The unix second at which an order is created; never less than its predecessor's."""
        pair = number >> 1
        bits = draw(self._times_salt, pair)
        if bits & 15 == 0 and pair != self._never_shared:
            position = 2 * pair + fraction(bits >> 32)  # both of the pair in the same second
        else:
            position = number + fraction(bits >> 32 if number & 1 else bits & 0xFFFFFFFF)
        activity = position / self._per_day
        while self._activity[-1] <= activity:
            self._add_day()
        day = bisect_right(self._activity, activity) - 1
        weight = self._activity[day + 1] - self._activity[day]
        share = (activity - self._activity[day]) / weight
        return self.start + day * DAY + (int(share * DAY) if self._even else _second_at(share))

    def count_before(self, unix: int) -> int:
        """The number of orders created before this second."""
        if unix <= self.start or not self._per_day:
            return 0
        guess = int(self._activity_before(unix) * self._per_day)
        low = max(0, guess - 3)
        return low + bisect_left(range(low, guess + 4), unix, key=self.created)

    def _activity_before(self, unix: int) -> float:
        day, second = divmod(unix - self.start, DAY)
        while len(self._activity) <= day + 1:
            self._add_day()
        weight = self._activity[day + 1] - self._activity[day]
        return self._activity[day] + weight * (second / DAY if self._even else _share_before(second))

    def _add_day(self) -> None:
        day = len(self._activity) - 1
        weekday = ((self.start + _OFFSET) // DAY + day + _MONDAY_OFFSET) % 7
        bits = draw(self._days_salt, day)
        weight = _WEEKDAYS[weekday] * (0.75 + 0.4 * fraction(bits & 0xFFFFFFFF))
        if bits >> 32 & 31 == 0:
            weight *= 2.5  # a sale
        if self._even:
            weight = 1.0
        self._activity.append(self._activity[-1] + weight)
