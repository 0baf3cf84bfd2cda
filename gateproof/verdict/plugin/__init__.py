"""The pytest plugin, one module per feature.

cmdline    the options themselves
options    from the command line to the targets and rows that this run is about
lifecycle  launch, preflight, hand-over to xdist workers, clean-up (controller only)
select     which tests run on which target, what they may spend, what shares a window
distribute which worker runs what: one window on one, and what must be alone at the end
waiting    what is waited for while nothing else is seen (controller only)
outcome    from what a test did to one of the nine verdicts
report     from verdicts to the report, the terminal summary and the exit status (controller only)
"""

pytest_plugins = [
    "gateproof.verdict.plugin.cmdline",
    "gateproof.verdict.plugin.options",
    "gateproof.verdict.plugin.lifecycle",
    "gateproof.verdict.plugin.select",
    "gateproof.verdict.plugin.distribute",
    "gateproof.verdict.plugin.waiting",
    "gateproof.verdict.plugin.outcome",
    "gateproof.verdict.plugin.report",
]
