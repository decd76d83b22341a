// SPDX-License-Identifier: MIT OR Apache-2.0

//! The screen of `ax650 top`.

use std::collections::VecDeque;

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Row, Sparkline, Table, TableState};
use ratatui::Frame;

use super::app::{cells, per_second, App, COLUMNS};
use super::history::History;
use crate::text;

const KEYS: [(&str, &str); 8] = [
    ("F1 h ?", "this list"),
    ("up down PgUp PgDn Home End", "mark a client"),
    ("F6 > <", "sort by the next or last column"),
    ("P M N", "sort by jobs, memory, process"),
    ("F5 I", "turn the order round"),
    ("Z space", "hold the figures, and let them go"),
    ("F10 q Esc", "end"),
    ("any key", "close this"),
];

/// Lines of a card: a line of words, four of curves, one between.
const CARD: u16 = 6;

/// Draws the whole screen.
pub fn draw(frame: &mut Frame<'_>, app: &App) {
    // At least the head of the table is left over.
    let room = frame.area().height.saturating_sub(4) / CARD;
    let shown = app.cards.len().min(usize::from(room.max(1)));
    let [top, table, keys] = Layout::vertical([
        Constraint::Length(CARD * shown as u16),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let areas = Layout::vertical(vec![Constraint::Length(CARD); shown]).split(top);
    for (card, area) in app.cards.iter().zip(areas.iter()) {
        draw_card(frame, card, *area);
    }
    draw_clients(frame, app, table);
    draw_keys(frame, app, keys);
    if app.help {
        draw_help(frame);
    }
}

fn draw_card(frame: &mut Frame<'_>, card: &History, area: Rect) {
    let last = &card.last;
    let color = match last.state.as_str() {
        "running" => Color::Green,
        "dead" | "gone" | "unreachable" => Color::Red,
        _ => Color::Yellow,
    };
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let rate = |name: &str| per_second(card.rate(name));
    let figures = format!(
        "  {}  jobs {}/s  doorbells {}/s  interrupts {}/s",
        last.firmware,
        rate("jobs"),
        rate("doorbells"),
        rate("interrupts"),
    );
    let mut line = vec![
        Span::styled(format!("{} {} ", last.name, last.bus_id), bold),
        Span::styled(last.state.clone(), bold.fg(color)),
        Span::raw(figures),
    ];
    if let Some(error) = &last.error {
        line.push(Span::styled(
            format!("  {error}"),
            Style::new().fg(Color::Red),
        ));
    }
    let [words, curves, _] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(4),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(Line::from(line), words);
    let columns: [Rect; 4] = Layout::horizontal([Constraint::Ratio(1, 4); 4]).areas(curves);
    let npu = card.npu_share().map_or("-".into(), text::percent);
    let cmm = last.telemetry.cmm.map_or("-".into(), |cmm| {
        format!("{} of {}", text::bytes(cmm.used), text::bytes(cmm.total))
    });
    let degrees = last.telemetry.temperature;
    let temperature = degrees.map_or("-".into(), |degrees| format!("{degrees:.1} C"));
    let moved = card
        .moved
        .back()
        .map_or("-".into(), |&rate| format!("{}/s", text::bytes(rate)));
    for ((title, now, values, most), area) in [
        ("NPU", npu, &card.npu, Some(100)),
        ("CMM", cmm, &card.memory, Some(100)),
        ("Temp", temperature, &card.temperature, Some(120)),
        ("Link", moved, &card.moved, None),
    ]
    .into_iter()
    .zip(columns)
    {
        draw_curve(frame, format!("{title} {now}"), values, most, area);
    }
}

/// Draws the newest values that fit, the last at the right.
fn draw_curve(
    frame: &mut Frame<'_>,
    title: String,
    values: &VecDeque<u64>,
    most: Option<u64>,
    area: Rect,
) {
    let width = usize::from(area.width.saturating_sub(1));
    let newest = values.iter().skip(values.len().saturating_sub(width));
    let mut shown = vec![0; width.saturating_sub(values.len())];
    shown.extend(newest);
    let mut curve = Sparkline::default()
        .block(Block::new().title(title))
        .data(shown)
        .style(Style::new().fg(Color::Cyan));
    if let Some(most) = most {
        curve = curve.max(most);
    }
    let area = Rect {
        width: width as u16,
        ..area
    };
    frame.render_widget(curve, area);
}

fn draw_clients(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let head = COLUMNS.iter().enumerate().map(|(at, name)| {
        let sorted = at == app.sort.column();
        let mark = if sorted {
            if app.inverted {
                "^"
            } else {
                "v"
            }
        } else {
            ""
        };
        format!("{name}{mark}")
    });
    let reversed = Style::new().add_modifier(Modifier::REVERSED);
    let rows = app.rows();
    let lines = rows.iter().map(|row| Row::new(cells(row)));
    let widths = [8, 8, 10, 8, 11, 12, 10, 9, 16].map(Constraint::Length);
    let table = Table::new(lines, widths)
        .header(Row::new(head).style(Style::new().fg(Color::Black).bg(Color::Green)))
        .row_highlight_style(reversed);
    let selected = (!rows.is_empty()).then_some(app.selected);
    let mut state = TableState::default().with_selected(selected);
    frame.render_stateful_widget(table, area, &mut state);
}

fn draw_keys(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let key = Style::new().fg(Color::Black).bg(Color::Cyan);
    let mut line = Vec::new();
    for (name, what) in [
        ("F1", "Help "),
        ("F5", "Invert"),
        ("F6", "SortBy"),
        ("F10", "Quit "),
    ] {
        line.push(Span::raw(name));
        line.push(Span::styled(what, key));
        line.push(Span::raw(" "));
    }
    if app.paused {
        line.push(Span::styled("held", Style::new().fg(Color::Yellow)));
    }
    frame.render_widget(Line::from(line), area);
}

fn draw_help(frame: &mut Frame<'_>) {
    let lines: Vec<_> = KEYS
        .iter()
        .map(|(keys, what)| Line::from(format!("{keys:28}{what}")))
        .collect();
    let area = frame.area();
    let (width, height) = (area.width.min(66), area.height.min(lines.len() as u16 + 2));
    let area = Rect {
        x: (area.width - width) / 2,
        y: (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, area);
    frame.render_widget(
        Paragraph::new(lines).block(Block::bordered().title("Keys")),
        area,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use ax650::fake::FakeCard;
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use ratatui::backend::TestBackend;
    use ratatui::Terminal;

    use super::super::app::Sort;
    use crate::sample::Sample;

    fn shown(app: &App, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, app)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| {
            (0..width)
                .map(|x| buffer[(x, y)].symbol())
                .collect::<String>()
                + "\n"
        };
        (0..height).map(line).collect()
    }

    fn press(app: &mut App, code: KeyCode) -> bool {
        app.on_key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    /// Two looks at a card, one second apart, half of which a model ran; ten jobs of one client.
    fn example() -> App {
        let card = FakeCard::new().open();
        let _first = card.session().unwrap();
        let _second = card.session().unwrap();
        let mut before = Sample::of_open(&card);
        before.npu_busy = Some(Duration::from_secs(3));
        let mut after = before.clone();
        after.at += Duration::from_secs(1);
        after.npu_busy = Some(Duration::from_millis(3500));
        after.counters.as_mut().unwrap().0.doorbells += 250;
        let clients = after.clients.as_mut().unwrap();
        assert_eq!(clients.len(), 2);
        clients[1].raw.jobs += 10;
        clients[1].raw.bytes_to_card += 1 << 20;
        clients[0].raw.buffer_bytes = 1 << 20;
        let mut app = App::default();
        app.take(vec![before]);
        app.take(vec![after]);
        app
    }

    #[test]
    fn a_card_and_its_clients() {
        let app = example();
        let text = shown(&app, 120, 16);
        for words in [
            "0000:01:00.0 running",
            "doorbells 250/s",
            "NPU 50.0 %",
            "CMM 0 B of 256 MiB",
            "Temp 41.4 C",
            "JOBS/sv",
            "F10Quit",
        ] {
            assert!(text.contains(words), "no {words}:\n{text}");
        }
        // The curve's last value is half of its height: two lines of three, one of them half.
        assert!(text.contains('\u{2584}'), "{text}");
        let lines: Vec<_> = text
            .lines()
            .filter(|line| line.contains("native"))
            .collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(
            lines[0].contains(" 10.0 ") && lines[0].contains("1.00 MiB"),
            "{text}"
        );
        let json = app.json();
        assert_eq!(json["cards"][0]["npu_busy"], 0.5);
        assert_eq!(json["cards"][0]["doorbells_per_second"], 250.0);
        assert_eq!(json["cards"][0]["clients"][1]["jobs_per_second"], 10.0);
        let text = app.text();
        assert!(
            text.contains("50.0 %") && text.contains("DOORBELLS/s"),
            "{text}"
        );
    }

    #[test]
    fn keys() {
        let mut app = example();
        assert!(!press(&mut app, KeyCode::Down) && app.selected == 1);
        assert!(!press(&mut app, KeyCode::Down) && app.selected == 1);
        press(&mut app, KeyCode::Home);
        assert_eq!(app.selected, 0);
        press(&mut app, KeyCode::Char('M'));
        assert_eq!(app.sort, Sort::Memory);
        assert_eq!(app.rows()[0].client.raw.buffer_bytes, 1 << 20);
        press(&mut app, KeyCode::Char('I'));
        assert_eq!(app.rows()[1].client.raw.buffer_bytes, 1 << 20);
        assert!(shown(&app, 120, 16).contains("HOST MEM^"));
        for _ in 0..4 {
            press(&mut app, KeyCode::F(6));
        }
        assert_eq!(app.sort, Sort::Memory);
        press(&mut app, KeyCode::F(1));
        assert!(shown(&app, 120, 30).contains("hold the figures"));
        assert!(!press(&mut app, KeyCode::Char('q')), "closes the help only");
        press(&mut app, KeyCode::Char(' '));
        app.take(Vec::new());
        assert_eq!(app.cards.len(), 1, "held");
        press(&mut app, KeyCode::Char(' '));
        app.take(Vec::new());
        assert!(app.cards.is_empty() && app.selected == 0);
        assert!(press(&mut app, KeyCode::Char('q')));
        assert!(app.on_key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    }

    /// Nothing panics, whatever the terminal's size.
    #[test]
    fn small_terminals() {
        let mut app = example();
        for help in [false, true] {
            app.help = help;
            for (width, height) in [(1, 1), (3, 2), (10, 3), (20, 7), (40, 40), (300, 5)] {
                shown(&app, width, height);
            }
        }
        app.cards.clear();
        shown(&app, 80, 24);
    }
}
