"""Pure judgement over the shape of replies: data in, findings out; imports nothing of ours but findings."""
