"""The operator agent's rules, without any input or output.

============  ===============================================================================
file          holds
============  ===============================================================================
life_cycle    states of a recommendation, and who may move it from one to the next
content       what an approval is bound to: the content, and the situation that matters to it
path          the writes that a set of moves becomes, and those that take it back
response      whether the plant answered as expected
watch         what must not happen while moves are made
objections    what is objected to, in words, and whether it may pass by itself
============  ===============================================================================
"""
