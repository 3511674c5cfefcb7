"""What pages do otherwise than the operations of the interface."""

from __future__ import annotations

import re

from service.api.strict import StrictRoute


class PageRoute(StrictRoute):
    """A page, whose address others share: what they add, to see who comes by it, is neither known nor refused."""

    ignored = re.compile(r"utm_\w+|\w{1,3}cl(k?)id|mc_[ce]id|igshid", re.ASCII)
