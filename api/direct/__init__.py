"""The hot path: plain requests for statistics and overview, answered without Django.

Django, its middleware and the REST framework cost about ten times as much as such an answer itself. So what is plain is
answered before they begin, from the same functions that their views call; everything else, every error among it, is
theirs, and the limiter is asked once whoever answers. What middleware adds to an answer is not written down here a
second time: it is learned from Django's own answer to the first request of each kind.
"""
