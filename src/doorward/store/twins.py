"""Virtual devices of sandbox workspaces, as `providers.base.TwinStore`. Their state holds PINs, so it is sealed."""

from doorward.crypto import Vault
from doorward.store.db import Database, Tx

STATE = "a virtual device"


class Twins:
    """Twins in the server's own database."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault

    async def find(self, workspace_id: str, brand: str, owner: str) -> list[tuple[str, bytes]]:
        rows = await self._db.read.all(
            "SELECT ref, state_sealed FROM twins "
            "WHERE workspace_id = $1 AND brand = $2 AND owner = $3 ORDER BY position",
            workspace_id,
            brand,
            owner,
        )
        return [(row[0], self._vault.open(row[1], STATE).encode()) for row in rows]

    async def load(self, workspace_id: str, brand: str, ref: str) -> bytes | None:
        row = await self._db.read.one(
            "SELECT state_sealed FROM twins WHERE workspace_id = $1 AND brand = $2 AND ref = $3",
            workspace_id,
            brand,
            ref,
        )
        return self._vault.open(row[0], STATE).encode() if row else None

    async def save(self, workspace_id: str, brand: str, owner: str, ref: str, state: bytes) -> None:
        sealed = self._vault.seal(state.decode(), STATE)

        async def write(tx: Tx) -> None:
            await tx.run(
                "INSERT INTO twins (workspace_id, brand, ref, owner, position, state_sealed) VALUES ($1, $2, $3, $4, "
                "(SELECT COUNT(*) FROM twins WHERE workspace_id = $1 AND brand = $2 AND owner = $4), $5) "
                "ON CONFLICT (workspace_id, brand, ref) DO UPDATE SET state_sealed = excluded.state_sealed",
                workspace_id,
                brand,
                ref,
                owner,
                sealed,
            )

        await self._db.write(write)

    async def forget(self, workspace_id: str) -> None:
        async def write(tx: Tx) -> None:
            await tx.run("DELETE FROM twins WHERE workspace_id = $1", workspace_id)

        await self._db.write(write)
