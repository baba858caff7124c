import { Checkbox, Table, Text, UnstyledButton } from "@mantine/core";
import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";
import {
  type ColumnDef,
  type Header,
  metaHelper,
  type RowData,
  type RowSelectionState,
  rowSelectionFeature,
  rowSortingFeature,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { useWords } from "../preferences";
import classes from "./table.module.css";

type Meta = {
  /** The narrowest screen that has the column. */
  from?: "sm" | "md" | "lg" | "xl";
  /** Numbers stand at the right. */
  numbers?: boolean;
};

const features = tableFeatures({
  rowSelectionFeature,
  rowSortingFeature,
  columnMeta: metaHelper<Meta>(),
});

/** A column: `id`, `header`, `cell`, `meta`; sorted by the service where `enableSorting`. */
export type DataColumn<T extends RowData> = ColumnDef<typeof features, T>;
type Head<T extends RowData> = Header<typeof features, T>;

/** How the service sorts a list. */
export type Sort = { by: string; down: boolean };

type Props<T extends RowData> = {
  label: string;
  /** They must keep their identity. */
  columns: DataColumn<T>[];
  rows: T[];
  idOf: (row: T) => string;
  sort?: Sort;
  onSort?: (sort: Sort) => void;
  /** The ids of the chosen rows. */
  chosen?: ReadonlySet<string>;
  onChoose?: (chosen: ReadonlySet<string>) => void;
  /** The name of a row, for the box that chooses it. */
  nameOf?: (row: T) => string;
};

/** A page of a list; the service sorts, filters and divides it. */
export function DataTable<T extends RowData>(props: Props<T>) {
  const { label, columns, rows, idOf, chosen, onChoose } = props;
  const { table: words } = useWords();
  const selection: RowSelectionState = Object.fromEntries(
    [...(chosen ?? [])].map((id) => [id, true]),
  );
  const table = useTable({
    features,
    columns,
    data: rows,
    getRowId: idOf,
    manualSorting: true,
    enableRowSelection: onChoose !== undefined,
    state: { rowSelection: selection },
    onRowSelectionChange: (update) => {
      const next = typeof update === "function" ? update(selection) : update;
      onChoose?.(new Set(Object.keys(next).filter((id) => next[id])));
    },
  });
  if (rows.length === 0) return <Text c="dimmed">{words.nothing}</Text>;
  return (
    <Table
      highlightOnHover
      horizontalSpacing="xs"
      stickyHeader
      stickyHeaderOffset={52}
      aria-label={label}
    >
      <Table.Thead>
        {table.getHeaderGroups().map((group) => (
          <Table.Tr key={group.id}>
            {onChoose !== undefined && (
              <Table.Th w={36}>
                <Checkbox
                  aria-label={words.chooseAll}
                  checked={table.getIsAllRowsSelected()}
                  indeterminate={table.getIsSomeRowsSelected()}
                  onChange={table.getToggleAllRowsSelectedHandler()}
                />
              </Table.Th>
            )}
            {group.headers.map((header) => (
              <HeadCell key={header.id} header={header} {...props}>
                <table.FlexRender header={header} />
              </HeadCell>
            ))}
          </Table.Tr>
        ))}
      </Table.Thead>
      <Table.Tbody>
        {table.getRowModel().rows.map((row) => (
          <Table.Tr key={row.id} data-row={row.id} data-chosen={row.getIsSelected() || undefined}>
            {onChoose !== undefined && (
              <Table.Td>
                <Checkbox
                  aria-label={words.choose(props.nameOf?.(row.original) ?? row.id)}
                  checked={row.getIsSelected()}
                  onChange={row.getToggleSelectedHandler()}
                />
              </Table.Td>
            )}
            {row.getAllCells().map((cell) => (
              <Table.Td key={cell.id} {...shownFrom(cell.column.columnDef.meta)}>
                <table.FlexRender cell={cell} />
              </Table.Td>
            ))}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function shownFrom(meta: Meta | undefined) {
  return {
    ...(meta?.from === undefined ? {} : { visibleFrom: meta.from }),
    ...(meta?.numbers ? { ta: "right" as const } : {}),
  };
}

type HeadProps<T extends RowData> = Pick<Props<T>, "sort" | "onSort"> & {
  header: Head<T>;
  children: React.ReactNode;
};

/** The head of a column, which sorts by it where the service can. */
function HeadCell<T extends RowData>({ header, sort, onSort, children }: HeadProps<T>) {
  const { id, columnDef } = header.column;
  const look = shownFrom(columnDef.meta);
  if (onSort === undefined || columnDef.enableSorting !== true) {
    return (
      <Table.Th scope="col" {...look}>
        {children}
      </Table.Th>
    );
  }
  const sorted = sort?.by === id;
  const down = sorted && sort.down;
  const Icon = down ? IconArrowDown : IconArrowUp;
  return (
    <Table.Th
      scope="col"
      aria-sort={sorted ? (down ? "descending" : "ascending") : "none"}
      {...look}
    >
      <UnstyledButton
        className={classes.sort}
        onClick={() => onSort({ by: id, down: sorted && !down })}
      >
        {children}
        {sorted && <Icon size={14} aria-hidden />}
      </UnstyledButton>
    </Table.Th>
  );
}
