"""What Meshdoor costs and how fast it is: `./dev bench [NAME ...]`.

A bench is a module here with a function `bench() -> Iterable[Table]`; the first line of its docstring is its title.
Each uses real sockets on loopback, a bounded number of packets and a bounded time.
"""
