-- A database with one of everything that a dump must bring back.
CREATE TABLE customer (
    id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name varchar(100) CHARACTER SET latin1 COLLATE latin1_german1_ci NOT NULL,
    mail varchar(200) DEFAULT NULL,
    `Größe in ``cm``` decimal(5, 1) DEFAULT 170.5 COMMENT 'it''s a "height", AUTO_INCREMENT=9',
    born date DEFAULT '1970-01-01',
    UNIQUE KEY by_mail (mail),
    FULLTEXT KEY words (mail)
) ENGINE = InnoDB AUTO_INCREMENT = 1000 COMMENT = 'Who buys; AUTO_INCREMENT=5';
CREATE TABLE item (
    id int NOT NULL AUTO_INCREMENT,
    customer bigint unsigned NOT NULL,
    state enum ('new', 'paid', 'it''s gone', '') NOT NULL DEFAULT 'new',
    tags set ('a', 'b', 'c') DEFAULT NULL,
    net decimal(12, 2) NOT NULL CHECK (net >= 0),
    gross decimal(14, 4) GENERATED ALWAYS AS (net * 1.19) STORED,
    twice decimal(14, 2) GENERATED ALWAYS AS (net * 2) VIRTUAL,
    detail json DEFAULT NULL,
    at datetime(6) NOT NULL DEFAULT current_timestamp(6),
    changed timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(),
    PRIMARY KEY (id),
    KEY by_state (state, at),
    KEY by_long (customer, net) COMMENT 'two columns',
    CONSTRAINT belongs FOREIGN KEY (customer) REFERENCES customer (id) ON DELETE CASCADE
) ENGINE = InnoDB;
CREATE TABLE odds (
    id int PRIMARY KEY,
    bits bit(13),
    raw varbinary(300),
    fixed binary(4),
    padded char(10),
    blob_ longblob,
    text_ mediumtext COLLATE utf8mb4_bin,
    real_ double,
    single float,
    year_ year,
    time_ time(3),
    small tinyint(4) unsigned zerofill,
    address inet6,
    uid uuid,
    place point,
    hidden int INVISIBLE DEFAULT 7
) ENGINE = InnoDB ROW_FORMAT = COMPRESSED;
CREATE TABLE twins (v varchar(10)) ENGINE = InnoDB;
CREATE TABLE old (id int PRIMARY KEY AUTO_INCREMENT, v varchar(20)) ENGINE = MyISAM;
CREATE TABLE older (v int) ENGINE = Aria TRANSACTIONAL = 0;
CREATE TABLE merged (v int) ENGINE = MRG_MyISAM;
CREATE TABLE parts (id int NOT NULL, at date NOT NULL, PRIMARY KEY (id, at))
    PARTITION BY RANGE (year(at)) (PARTITION p0 VALUES LESS THAN (2020), PARTITION p1 VALUES LESS THAN MAXVALUE);
CREATE TABLE versioned (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING;
CREATE TABLE empty_ (id int NOT NULL AUTO_INCREMENT PRIMARY KEY);
CREATE TABLE `odd name; -- "ß"` (`select` int);
CREATE SEQUENCE invoice START WITH 100 INCREMENT BY 5 CACHE 10 CYCLE MAXVALUE 10000;
CREATE SEQUENCE untouched;
CREATE USER 'app'@'10.0.%' IDENTIFIED BY 'secret';
GRANT ALL ON shop.* TO 'app'@'10.0.%';
CREATE DEFINER = 'app'@'10.0.%' SQL SECURITY DEFINER VIEW totals AS
    SELECT c.name, sum(i.gross) AS total FROM customer c JOIN item i ON i.customer = c.id GROUP BY c.name;
CREATE VIEW of_totals AS SELECT * FROM totals WHERE total > 10;
CREATE VIEW cheap AS SELECT id, net FROM item WHERE net < 10 WITH CASCADED CHECK OPTION;
DELIMITER ;;
CREATE DEFINER = 'app'@'10.0.%' FUNCTION vat(amount decimal(12, 2)) RETURNS decimal(12, 2) DETERMINISTIC
BEGIN
    -- 19 % in the land of 'quotes' and \backslashes
    RETURN round(amount * 0.19, 2); /* and
    of comments */
END;;
CREATE PROCEDURE nothing(IN a int, OUT b varchar(10)) COMMENT 'does nothing' BEGIN SET b = a; END;;
CREATE TRIGGER touch BEFORE UPDATE ON item FOR EACH ROW SET NEW.at = OLD.at;;
CREATE DEFINER = 'app'@'10.0.%' TRIGGER touch_too BEFORE UPDATE ON item FOR EACH ROW FOLLOWS touch
BEGIN
    -- after the other
    SET NEW.tags = OLD.tags;
END;;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2026-01-01 03:00:00' ON COMPLETION PRESERVE ENABLE
    COMMENT 'cleans up' DO DELETE FROM twins WHERE v = 'gone';;
SET sql_mode = 'ORACLE';;
CREATE PACKAGE tools AS
    FUNCTION one RETURN int;
END;;
CREATE PACKAGE BODY tools AS
    FUNCTION one RETURN int AS BEGIN RETURN 1; END;
END;;
SET sql_mode = DEFAULT;;
DELIMITER ;
INSERT INTO customer (name, mail) VALUES ('Müller', NULL), ('', ''), ('O''Hara', 'o@example.org');
INSERT INTO item (customer, net, state, tags, detail, at, changed)
    SELECT 1000 + seq % 3, seq / 7, 1 + seq % 4, seq % 8, json_object('n', seq, 's', 'ä'), '2026-01-01' + INTERVAL seq SECOND + INTERVAL seq MICROSECOND,
           '2026-01-02 03:04:05'
    FROM seq_1_to_20000;
INSERT INTO odds (id, bits, raw, fixed, padded, blob_, text_, real_, single, year_, time_, small, address, uid, place) VALUES
    (1, b'1010101010101', x'00ff0a27225c', x'00ff', 'a ', repeat(unhex('00FF5C27'), 500000), repeat('ä€𝄞', 100000), 1e300 / 3, 1 / 3, 2026, '-12:34:56.789', 7, '::1',
     '123e4567-e89b-12d3-a456-426614174000', point(1.5, -2)),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (3, b'0', '', '', '', '', '', 0, 0, 0, 0, 0, '::', '00000000-0000-0000-0000-000000000000', point(0, 0));
INSERT INTO twins VALUES ('a'), ('a'), (''), (NULL), (NULL);
INSERT INTO old (v) VALUES ('x'), ('y');
INSERT INTO older VALUES (1);
INSERT INTO parts VALUES (1, '2019-01-01'), (2, '2025-01-01');
INSERT INTO versioned VALUES (1, 1);
UPDATE versioned SET v = 2;
SELECT nextval(invoice), nextval(invoice);
