import ipaddress


class Networks:
    def __init__(self, nets):
        self.nets = nets

    @classmethod
    def parse(cls, text):
        return cls([ipaddress.ip_network(x.strip()) for x in text.split(",")])

    def allows(self, ip):
        return any(ip in n for n in self.nets if n.version == ip.version)


class Ranges:
    def __init__(self, items):
        self.items = items

    @classmethod
    def parse(cls, text):
        return cls(text.split(","))
