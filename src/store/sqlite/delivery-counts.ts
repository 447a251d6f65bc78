/**
 * How many deliveries of each route there are, and how many of them are due: kept as they come and go, so that asking costs the same however many wait. SQLite
 * keeps it itself, by triggers on a table in memory, so it is true of whatever changes the deliveries, and of a transaction that is undone.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { PRIORITIES } from './operations.ts'
import { integer } from './rows.ts'

/** `due`: those whose time is not after `mark`. Of a route that is new nothing was due at 0. */
const SCHEMA = `
  create temp table delivery_count (
    route text primary key,
    total integer not null,
    due integer not null,
    mark integer not null
  ) strict, without rowid;
  create temp trigger delivery_count_added after insert on main.delivery begin
    insert into delivery_count (route, total, due, mark) values (new.app, 1, 0, 0)
      on conflict (route) do update set total = total + 1, due = due + (new.run_at <= mark);
  end;
  create temp trigger delivery_count_removed after delete on main.delivery begin
    update delivery_count set total = total - 1, due = due - (old.run_at <= mark) where route = old.app;
  end;
  create temp trigger delivery_count_moved after update of run_at on main.delivery begin
    update delivery_count set due = due + (new.run_at <= mark) - (old.run_at <= mark) where route = new.app;
  end;
`
const between = (from: string, to: string): string => `(
  select count(*) from delivery where app = delivery_count.route and priority in (${[...PRIORITIES.keys()].join(', ')})
    and run_at > ${from} and run_at <= ${to})`

export class DeliveryCounts {
  readonly #at: StatementSync

  constructor(database: DatabaseSync) {
    database.exec(SCHEMA)
    database
      .prepare(`
        insert into delivery_count (route, total, due, mark)
        select app, count(*), sum(run_at <= :now), :now from delivery group by app`)
      .run({ now: Date.now() })
    // Counts what has come due since it was asked before; after a clock that went back, what is not any more.
    this.#at = database.prepare(`
      update delivery_count set mark = :now,
        due = due + iif(:now >= mark, ${between('mark', ':now')}, -${between(':now', 'mark')})
      where route = :route returning total, due`)
  }

  at(route: string, nowMs: number): { readonly total: number; readonly due: number } {
    const row = this.#at.get({ route, now: Math.floor(nowMs) })
    return { total: integer(row, 'total'), due: integer(row, 'due') }
  }
}
