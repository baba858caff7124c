"""What can be read of the market domain, by the API, the command line and the alerts.

Each function reads with the connection it is given. Times are ms, numbers the exchange's strings.
"""
