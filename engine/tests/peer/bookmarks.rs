//! Bookmarks files of browsers.

use serde_json::Value;

use crate::support::{Device, many_bookmarks};

const FIREFOX: &str = r#"<!DOCTYPE NETSCAPE-Bookmark-file-1>
<!-- This is an automatically generated file.
     It will be read and overwritten.
     DO NOT EDIT! -->
<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">
<meta http-equiv="Content-Security-Policy"
      content="default-src 'self'; script-src 'none'; img-src data: *; object-src 'none'"></meta>
<TITLE>Bookmarks</TITLE>
<H1>Bookmarks Menu</H1>

<DL><p>
    <DT><H3 ADD_DATE="1700000000" LAST_MODIFIED="1700000001" PERSONAL_TOOLBAR_FOLDER="true">Bookmarks Toolbar</H3>
    <DL><p>
        <DT><A HREF="https://www.mozilla.org/" ADD_DATE="1700000000" ICON_URI="https://www.mozilla.org/f.ico" ICON="data:image/png;base64,iVBORw0KGgo=">Mozilla &amp; friends</A>
        <DT><A HREF="place:sort=8&maxResults=10" ADD_DATE="1700000000">Most Visited</A>
        <HR>
        <DT><H3 ADD_DATE="1700000000">Rust</H3>
        <DD>All about it
        <DL><p>
            <DT><A HREF="https://www.rust-lang.org/" TAGS="lang">Rust</A>
            <DD>A language
        </DL><p>
    </DL><p>
    <DT><A HREF="https://example.com/?a=1&amp;b=2">Example</A>
</DL>
"#;

const CHROME: &str = r#"<!DOCTYPE NETSCAPE-Bookmark-file-1>
<!-- This is an automatically generated file. -->
<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">
<TITLE>Bookmarks</TITLE>
<H1>Bookmarks</H1>
<DL><p>
    <DT><H3 ADD_DATE="1700000000" LAST_MODIFIED="0" PERSONAL_TOOLBAR_FOLDER="true">Bookmarks bar</H3>
    <DL><p>
        <DT><A HREF="https://www.google.com/" ADD_DATE="1700000000" ICON="data:image/png;base64,AAAA">Google</A>
        <DT><A HREF="javascript:(function(){alert(1)})()" ADD_DATE="1700000000">bookmarklet</A>
        <DT><H3 ADD_DATE="1700000000">Leeres</H3>
        <DL><p>
        </DL><p>
    </DL><p>
    <DT><A HREF="https://例え.jp/道?q=1" ADD_DATE="1700000000">例え</A>
</DL><p>
"#;

const SAFARI: &str = "<!DOCTYPE NETSCAPE-Bookmark-file-1>\r\n\t<HTML>\r\n\t<META HTTP-EQUIV=\"Content-Type\" CONTENT=\"text/html; charset=UTF-8\">\r\n\t<Title>Bookmarks</Title>\r\n\t<H1>Bookmarks</H1>\r\n\t<DT><H3 FOLDED>Favorites</H3>\r\n\t<DL><p>\r\n\t\t<DT><A HREF=\"https://www.apple.com/\">Apple</A>\r\n\t\t<DT><A HREF=\"https://www.icloud.com/\">iCloud</A>\r\n\t</DL><p>\r\n\t<DT><H3 FOLDED>Reading List</H3>\r\n\t<DL><p>\r\n\t</DL><p>\r\n</HTML>\r\n";

fn import(device: &Device, text: &str) -> Value {
    let path = device.path("bookmarks.html");
    std::fs::write(&path, text).unwrap();
    device.json(&["import", path.to_str().unwrap()]).remove(0)
}

fn titles(device: &Device) -> Vec<String> {
    let items = device.json(&["list"]);
    let pages = items.iter().filter(|item| item["type"] == "page");
    pages.map(|page| page["title"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn bookmarks_of_three_browsers_become_pages_and_folders() {
    for (text, bookmarks, folders, left_out, some) in [
        (FIREFOX, 3, 2, 1, "Mozilla & friends"),
        (CHROME, 2, 2, 1, "例え"),
        (SAFARI, 2, 2, 0, "iCloud"),
    ] {
        let ada = Device::new("ada");
        let report = import(&ada, text);
        assert_eq!(report["bookmarks"], bookmarks, "{report}");
        assert_eq!(report["folders"], folders, "{report}");
        assert_eq!(report["added"], bookmarks + folders, "{report}");
        assert_eq!(report["left_out"], left_out, "{report}");
        assert!(titles(&ada).iter().any(|title| title == some), "{:?}", titles(&ada));
        let before = ada.export();
        let again = import(&ada, text);
        assert_eq!((&again["added"], &again["linked"]), (&0.into(), &0.into()));
        assert_eq!(ada.export(), before, "the same file twice adds nothing");
    }
}

#[test]
fn folder_is_grouped_with_what_lies_in_it() {
    let ada = Device::new("ada");
    import(&ada, FIREFOX);
    let shown = ada.json(&["show", "folder:/Bookmarks%20Toolbar/Rust"]);
    let ends: Vec<_> = shown.iter().filter(|item| item["type"] == "link").collect();
    assert_eq!(ends.len(), 2, "{shown:#?}");
    assert!(ends.iter().any(|end| end["to_label"] == "Rust" && end["outgoing"] == true));
    assert!(ends.iter().any(|end| end["from_label"] == "Bookmarks Toolbar"));
}

#[test]
fn export_as_bookmarks_is_imported_as_the_same_pages() {
    let (ada, ben) = (Device::new("ada"), Device::new("ben"));
    import(&ada, FIREFOX);
    import(&ada, CHROME);
    let html = ada.ok(&["export", "--format", "html"]);
    import(&ben, &html);
    assert_eq!(titles(&ben), titles(&ada));
}

#[test]
fn what_is_no_bookmarks_file_is_refused_and_changes_nothing() {
    let ada = Device::new("ada");
    let path = ada.path("file.html");
    let name = path.to_str().unwrap();
    assert!(ada.fails(1, &["import", name]).contains("no file"));
    let deep = format!("<!DOCTYPE NETSCAPE-Bookmark-file-1>{}", "<DL><p>".repeat(1000));
    for (bytes, why) in [
        (&b"<html><a href='https://a.example/'>a</a></html>"[..], "NETSCAPE"),
        (b"", "NETSCAPE"),
        (b"<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<A HREF=\"https://a.example/\">\xe9</A>", "UTF-8"),
        (deep.as_bytes(), "deep"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = ada.fails(1, &["import", name]);
        assert!(error.contains(why) && error.contains("next:"), "{error}");
    }
    std::fs::File::create(&path).unwrap().set_len(64 * 1024 * 1024 + 1).unwrap();
    assert!(ada.fails(1, &["import", name]).contains("longer than"));
    assert_eq!(titles(&ada), Vec::<String>::new());
}

#[test]
fn large_file_is_taken_whole() {
    let ada = Device::new("ada");
    let path = ada.path("many.html");
    many_bookmarks(&path, 5_000);
    let report = ada.json(&["import", path.to_str().unwrap()]).remove(0);
    assert_eq!(report["added"], 5_000);
    assert_eq!(ada.json(&["status"])[0]["pages"], 5_000);
}
