// Series of the server as uPlot draws them.

// uPlot takes undefined for "no slot of this series here", null for a gap.
export function drawable(one, times) {
  const { start_seconds: start, step_seconds: step, values } = one;
  return values.map((value, index) => (value === null && (times[index] - start) % step !== 0 ? undefined : value));
}

// Each line on top of those below it; a gap counts as nothing.
export function stacked(columns) {
  const sums = new Float64Array(columns[0]?.length ?? 0);
  return columns.map((column) => {
    let held = 0;
    return column.map((value, index) => {
      held = value === undefined ? held : value ?? 0;
      sums[index] += held;
      return value === null ? null : sums[index];
    });
  });
}

// Where a point has no neighbour, so that no line shows it.
export function isolated(column) {
  const there = [];
  let before = null;
  for (let index = 0; index < column.length; index += 1) {
    if (column[index] === undefined) continue;
    let next = index + 1;
    while (next < column.length && column[next] === undefined) next += 1;
    if (column[index] !== null && before === null && (column[next] ?? null) === null) there.push(index);
    before = column[index];
  }
  return there;
}
