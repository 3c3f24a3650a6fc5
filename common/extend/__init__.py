"""What a method is made of: the bases of its two halves, and the types that they are given and give back.

A method's options are declared with `common.scenario`; its halves import this package, `common`, torch and Flower, and
neither the server nor the clients.
"""
