"""COMP: what goes wrong with text completions, mostly where they are made out of chat or passed by as legacy."""

from __future__ import annotations

from gateproof.stack.faults import Fault

FAULTS = (
    Fault(
        "completion_called_chat",
        where="engine",
        breaks=("COMP-001",),
        stands_for="completions served by the chat code, whose object name shows",
        link="https://github.com/BerriAI/litellm/issues/14429",
        shows="chat.completion",
    ),
    Fault(
        "prompts_answered_backwards",
        where="engine",
        breaks=("COMP-002",),
        stands_for="the prompts of a batch answered in the order in which they were finished",
    ),
    Fault(
        "token_prompt_crashes",
        where="engine",
        breaks=("COMP-003",),
        stands_for="token ids joined as if they were texts",
        link="https://github.com/vllm-project/vllm/issues/2706",
        shows="500",
    ),
    Fault(
        "echo_ignored",
        where="engine",
        breaks=("COMP-004",),
        stands_for="`echo` dropped without a word",
        link="https://github.com/vllm-project/vllm/issues/57996",
    ),
    Fault(
        "completion_chunks_called_chat",
        where="engine",
        breaks=("COMP-005",),
        stands_for="streams of completions in the form of chat chunks",
        link="https://github.com/BerriAI/litellm/issues/1113",
        shows="chat.completion.chunk",
    ),
    Fault(
        "no_default_limit_on_tokens",
        where="engine",
        breaks=("COMP-006",),
        stands_for="completions that run to the end of the context unless the client bounds them",
        shows="32",
    ),
    Fault(
        "best_of_ignored",
        where="engine",
        breaks=("COMP-007",),
        stands_for="a legacy parameter that is accepted and does nothing",
        shows="200",
    ),
)
