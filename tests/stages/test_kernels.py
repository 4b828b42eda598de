"""A temporary workspace of DVC has the project's compiled kernels."""

from stages.kernels import reuse_compiled


def write(folder, **texts):
    for name, text in texts.items():
        path = folder / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_workspace_gets_the_compiled_kernels_that_it_lacks(tmp_path, monkeypatch):
    cache = "metabin/losses/__pycache__"
    project, workspace = tmp_path / "project", tmp_path / "project/.dvc/tmp/exps/one"
    write(project / cache, a__nbi="index", a__1__nbc="code", a__pyc="bytes", b__nbi="old")
    write(project / "metabin/removed/__pycache__", c__nbi="index")
    write(workspace / cache, b__nbi="new")
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("DVC_ROOT", str(project))
    reuse_compiled()
    found = {path.name: path.read_text() for path in (workspace / cache).iterdir()}
    assert found == {"a.nbi": "index", "a.1.nbc": "code", "b.nbi": "new"}
    assert not (workspace / "metabin/removed").exists()


def test_the_project_itself_and_a_folder_without_one_stay_as_they_are(tmp_path, monkeypatch):
    write(tmp_path / "metabin/__pycache__", a__nbi="index")
    monkeypatch.chdir(tmp_path)
    for root in (tmp_path, tmp_path / "absent"):
        monkeypatch.setenv("DVC_ROOT", str(root))
        reuse_compiled()
    monkeypatch.delenv("DVC_ROOT")
    reuse_compiled()
    assert [path.name for path in tmp_path.rglob("*.nb*")] == ["a.nbi"]
