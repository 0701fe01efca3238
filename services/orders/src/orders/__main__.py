from orders.main import SERVICE

SERVICE.main()
