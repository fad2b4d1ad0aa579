"""Text of alerts without what varies in it: masks for numbers, addresses and ids, and a miner of message templates.

Owns how free text is brought to a form in which two reports of one thing are equal. Pure; never evaluates text.
"""
