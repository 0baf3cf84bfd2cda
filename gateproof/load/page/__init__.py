"""The page of a load run, from its report and its log: for people, self-contained, the same for the same input.

``columns`` reads the log, ``series`` and ``servers`` make numbers over time of it, ``plots`` and ``tables`` say them,
``page`` puts them together. Nothing here imports gevent: a page is made where no load is.
"""
