"""Dates of HTTP (RFC 9110 §5.6.7)."""

from __future__ import annotations

import calendar
import datetime as dt
import re

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_IMF_DATE = re.compile(
    rf"({'|'.join(_DAYS)}), (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT",
    re.ASCII,
)


def parse_http_date(value: str) -> float | None:
    """Epoch seconds of an IMF-fixdate, the one form that a sender may use (RFC 9110 §5.6.7)."""
    match = _IMF_DATE.fullmatch(value)
    if match is None:
        return None
    day_name, day, month, year, hour, minute, second = match.groups()
    try:
        # a leap second is legal in the grammar and unknown to datetime
        moment = dt.datetime(
            int(year),
            _MONTHS.index(month) + 1,
            int(day),
            int(hour),
            int(minute),
            min(int(second), 59),
            tzinfo=dt.UTC,
        )
    except ValueError:
        return None
    if _DAYS[moment.weekday()] != day_name or int(second) > 60:
        return None
    return float(calendar.timegm(moment.utctimetuple())) + max(int(second) - 59, 0)
