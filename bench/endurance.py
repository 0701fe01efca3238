"""Whether memory stays where it is: `python -m bench.endurance`.

Settles an hour's worth of orders, at a hundred a second, as fast as the machine can: in
rounds, and says after each what an order cost in it and what each process holds.
"""

import argparse
import asyncio
import json

from bench import report, scenarios
from bench.__main__ import say
from bench.scenarios import JSON, SKUS
from bench.site import COUNTED, a_site

AN_HOUR = 360_000
ROUND = 20_000  # as many as settle before the load and the waiting for them give up


async def main(orders: int) -> None:
    found: list[JSON] = []
    async with a_site() as site:
        await site.stock_up(SKUS)
        for settled in range(0, orders, ROUND):
            say(f"{settled:,} of {orders:,} orders are settled")
            more = min(ROUND, orders - settled)
            costs = await scenarios.settle(site, more, SKUS)
            found.append(
                {
                    "orders": settled + more,
                    "settle_ms": costs["cpu_ms_per_order"],
                    "per_second": costs["per_second"],
                    "memory_mb": await site.memory_mb(*COUNTED),
                }
            )
            print(json.dumps(found[-1]), flush=True)
    report.keep("endurance", {"rounds": found})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=AN_HOUR)
    asyncio.run(main(parser.parse_args().orders))
