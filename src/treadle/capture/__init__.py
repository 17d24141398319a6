"""Compiling a function of tensors once, for steps and for inference.

trace.py       a function → a graph without Python, or one sentence why not
package.py     a graph → native code in the user's own cache, and back into a callable
background.py  both in a child process, while the caller goes on
"""
