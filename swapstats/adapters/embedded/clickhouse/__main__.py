from swapstats.adapters.embedded.clickhouse.process import main

main()
